"""Rules: the language of `when`, its one compiler, and who judges served lists by it. Pure: no I/O, no clock."""
