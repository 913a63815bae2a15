"""The web console: the stories that the command line tells, as pages that a colleague can open."""
