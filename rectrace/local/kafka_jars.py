"""Apache Kafka's jars, from Maven into the user's cache on first use (44 MB)."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from rectrace.local.errors import LocalError

KAFKA_VERSION = "4.3.1"
LOG4J_VERSION = "2.25.4"  # without a logging binding the broker can exit with no text at all
JAVA_VERSION = 17
FETCH_SECONDS = 600

_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>rectrace</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>{LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


def cache_dir() -> Path:
    """Where the jars are kept, XDG_CACHE_HOME respected."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "rectrace" / f"apache-kafka-{KAFKA_VERSION}"


def missing() -> str | None:
    """Why Apache Kafka cannot run here and how to change that; None if it can."""
    if (found := _java_version()) is None:
        return f"needs Apache Kafka: install Java {JAVA_VERSION} (Debian: apt-get install openjdk-17-jre-headless)"
    if found < JAVA_VERSION:
        return f"needs Apache Kafka: install Java {JAVA_VERSION} or newer; `java` is {found}"
    if not cache_dir().is_dir() and shutil.which("mvn") is None:
        return "needs Apache Kafka: install Maven (Debian: apt-get install maven), which fetches its jars on first use"
    return None


def fetch() -> Path:
    """The directory with the jars, filled if it is not there yet. Raises LocalError with the end of Maven's output."""
    if (jars := cache_dir()).is_dir():
        return jars
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix="fetching-") as work:
        (Path(work) / "pom.xml").write_text(_POM)
        _run_maven(work)
        try:
            (Path(work) / "jars").rename(jars)  # whole or not at all, whoever else is fetching
        except OSError:
            if not jars.is_dir():
                raise
    return jars


def _run_maven(work: str) -> None:
    if (maven := shutil.which("mvn")) is None:
        raise LocalError(missing() or "mvn is not on the PATH")
    command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars", "-DincludeScope=runtime"]
    try:
        subprocess.run(
            command,
            cwd=work,
            check=True,
            timeout=FETCH_SECONDS,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except subprocess.TimeoutExpired:
        raise LocalError(f"Maven did not fetch Apache Kafka {KAFKA_VERSION} in {FETCH_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        end = "\n".join(str(error.output).splitlines()[-10:])
        raise LocalError(f"Maven could not fetch Apache Kafka {KAFKA_VERSION}:\n{end}") from None


def _java_version() -> int | None:
    if (java := shutil.which("java")) is None:
        return None
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', told)
    return int(found[1]) if found else None
