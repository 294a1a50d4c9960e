"""The Dockerfile's promises, read stage by stage: what ships, as whom, from which files. No image is built here."""

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from service.settings import Settings
from tests.contract.rendered_chart import SMALL_JUDGE

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
HADOLINT = Path(sys.executable).with_name("hadolint")
HEAVY = ("torch", "transformers", "sentence-transformers", "vllm", "nvidia-", "triton", "onnx==")


@dataclass(frozen=True)
class Instruction:
    """One instruction, with the stage it belongs to."""

    stage: str
    word: str
    rest: str


def instructions() -> list[Instruction]:
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stage, found = "", []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stage = rest.split(" AS ")[1]
        found.append(Instruction(stage, word, " ".join(rest.split())))
    return found


def of(stage: str, *words: str) -> list[str]:
    return [item.rest for item in instructions() if item.stage == stage and item.word in words]


def copied() -> list[tuple[str, list[str]]]:
    """Every COPY out of the repository: its stage and its sources."""
    copies = [item for item in instructions() if item.word == "COPY" and "--from=" not in item.rest]
    return [(item.stage, item.rest.split()[:-1]) for item in copies]


def environment(stage: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for line in of(stage, "ENV") for pair in line.split())


def admitted(source: str) -> bool:
    """Whether .dockerignore lets a path of the top level into the build."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [line[1:].rstrip("/") for line in lines if line.startswith("!")]
    return any(source == name or source.startswith(f"{name}/") for name in kept)


def test_the_stages_are_base_artefacts_venv_and_runtime_in_this_order() -> None:
    stages = [item.rest for item in instructions() if item.word == "FROM"]
    assert stages == ["${PYTHON_IMAGE} AS base", "base AS artefacts", "base AS venv", "base AS runtime"]


def test_the_base_is_python_311_by_a_tag() -> None:
    assert of("", "ARG") == ["PYTHON_IMAGE=python:3.11-slim"]


def test_hadolint_finds_nothing() -> None:
    ran = subprocess.run([HADOLINT, DOCKERFILE], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp\n")
    ran = subprocess.run([HADOLINT, bad], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode != 0
    assert "DL3006" in ran.stdout


@pytest.mark.parametrize(
    ("stage", "sources"), copied(), ids=lambda value: " ".join(value) if isinstance(value, list) else value
)
def test_every_copied_path_exists_and_enters_the_build(stage: str, sources: list[str]) -> None:
    for source in sources:
        assert (ROOT / source).exists(), f"stage {stage} copies {source}"
        assert admitted(source), f".dockerignore keeps {source} out"


def test_the_runtime_takes_two_folders_from_the_venv_stage_and_installs_nothing() -> None:
    assert of("runtime", "COPY") == ["--from=venv /opt/venv /opt/venv", "--from=venv /opt/clinalign /opt/clinalign"]
    assert not any("pip" in command or "apt-get" in command for command in of("runtime", "RUN"))


def test_torch_is_installed_in_the_stage_that_does_not_ship_alone() -> None:
    installs = {(i.stage, i.rest) for i in instructions() if i.word == "RUN" and "pip install -r" in i.rest}
    assert installs == {
        ("artefacts", "pip install -r requirements/training.txt"),
        ("venv", "pip install -r requirements/gateway.txt"),
    }
    locked = (ROOT / "requirements" / "gateway.txt").read_text().lower().splitlines()
    assert [line for line in locked if line.startswith(HEAVY)] == []
    taken = [line for line in of("venv", "COPY") + of("runtime", "COPY") if "--from=artefacts" in line]
    assert taken == ["--from=artefacts /build/build/encoder /opt/clinalign/encoder"]


def test_the_wheel_of_the_image_names_no_command_that_it_does_not_carry(tmp_path: Path) -> None:
    (edit,) = (command for command in of("venv", "RUN") if command.startswith("sed"))
    project = tmp_path / "pyproject.toml"
    whole = (ROOT / "pyproject.toml").read_text()
    project.write_text(whole)
    subprocess.run(["sh", "-c", edit.split("&&")[0]], cwd=tmp_path, check=True, timeout=10)
    wanted = tomllib.loads(whole)
    assert wanted["project"].pop("entry-points").keys() == {"clinalign.commands"}
    assert tomllib.loads(project.read_text()) == wanted


def test_the_gateway_runs_as_a_number_that_is_not_root() -> None:
    (user,) = of("runtime", "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    after = [item.word for item in instructions() if item.stage == "runtime"]
    assert "RUN" not in after[after.index("USER") :]


def test_the_command_is_the_server_on_its_exposed_port_and_can_be_overridden() -> None:
    assert of("runtime", "ENTRYPOINT") == ['["clinalign", "serve"]']
    assert of("runtime", "CMD") == ['["--host", "0.0.0.0", "--port", "8080"]']
    assert of("runtime", "EXPOSE") == ["8080"]
    assert of("runtime", "STOPSIGNAL") == ["SIGTERM"]
    (check,) = of("runtime", "HEALTHCHECK")
    assert "'/healthz'" in check


def test_every_variable_of_the_image_is_a_setting_and_every_artefact_has_one() -> None:
    ours = {name for name in environment("runtime") if name.startswith("CLINALIGN_")}
    assert ours <= {f"CLINALIGN_{name.upper()}" for name in Settings.model_fields}
    artefacts = ("ENCODER_DIR", "INDEX_DIR", "PRINCIPLES_DIR", "GGUF")
    for name in artefacts:
        assert environment("runtime")[f"CLINALIGN_{name}"].startswith("/opt/clinalign/")
    built = environment("venv")
    assert {name: environment("runtime")[name] for name in built if name.startswith("CLINALIGN_")} == {
        name: path for name, path in built.items() if name.startswith("CLINALIGN_")
    }


def test_the_small_judge_ships_and_nothing_sets_it_to_work() -> None:
    assert f"training/checkpoints/clinalign-judge {SMALL_JUDGE}" in of("venv", "COPY")
    assert {path.name for path in (ROOT / "training/checkpoints/clinalign-judge").iterdir()} >= {"manifest.json"}
    assert "CLINALIGN_SMALL_JUDGE_DIR" not in environment("runtime") | environment("venv")


def test_no_secret_is_written_into_the_image() -> None:
    text = DOCKERFILE.read_text()
    assigned = {
        name
        for item in instructions()
        if item.word in {"ENV", "ARG", "LABEL"}
        for name in re.findall(r"(\w+)=", item.rest)
    }
    assert [name for name in assigned if re.search(r"KEY|TOKEN|SECRET|PASSWORD", name)] == []
    assert not re.search(r"https?://[^/\s]*@", text)
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith(("#", "!"))]
    assert ignored[0] == "*"
    for secret in ("service/.env", "service/prod.env", "training/server.key", "service/tls.pem", "training/.netrc"):
        assert any(fnmatch(secret, pattern.removeprefix("**/").join(("*/", ""))) for pattern in ignored[1:]), secret


def test_the_runtime_writes_nowhere_but_in_its_own_folder() -> None:
    settings = environment("runtime")
    assert settings["PYTHONDONTWRITEBYTECODE"] == "1"
    assert settings["HOME"] == "/tmp"  # noqa: S108 - the one folder that a read-only root leaves open
    assert of("runtime", "WORKDIR") == ["/var/lib/clinalign"]


def test_the_health_check_passes_on_200_and_fails_otherwise() -> None:
    (check,) = of("runtime", "HEALTHCHECK")
    program = check[check.index('"import') + 1 : check.rindex('"')]
    served = """
import http.server, os, subprocess, sys, threading
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[2])); self.end_headers()
    def log_message(self, *words): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
done = subprocess.run([sys.executable, "-c", sys.argv[1]], env={"CLINALIGN_PORT": str(server.server_port)})
sys.exit(done.returncode)
"""
    codes = {
        status: subprocess.run([sys.executable, "-c", served, program, status], check=False, timeout=30).returncode
        for status in ("200", "503")
    }
    assert codes == {"200": 0, "503": 1}
