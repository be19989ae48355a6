"""Faults during a push: does a moving tag ever name something unverified, does a rerun finish?

    python -m benchmarks.push_faults [--faults 100] [--seed 0] [--out FILE]

A real Ollama server pushes small models to a real registry (docker-registry), both of our own on
loopback. A proxy stands between medllm and the Ollama server, another before the registry, which
both medllm and the Ollama server go through. Every trial publishes version 1.0.0, then 1.1.0 with
one fault: at one random request, or from there on until the push gives up. The push is run again
until it succeeds. After every request that reached the registry its moving tags are read past the
proxies: they must name a manifest of 1.0.0 or of 1.1.0, as a push without faults makes them, whose
own tag is at the registry already.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
from tqdm import tqdm

from benchmarks.faulty_proxy import KINDS, Fault, FaultyProxy, faulty_proxy, swapped_model
from benchmarks.loopback import docker_registry, ollama
from medllm.pipeline.config import PushConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.publish.names import repository
from medllm.pipeline.release.publish.push import push
from medllm.pipeline.release.publish.registry import Registry
from medllm.pipeline.release.publish.retry import Patience
from tests.release_run import AT_ONCE, QUANTS, build_run

ONE, TWO = "1.0.0", "1.1.0"
MOVING = ("latest", "8gb")
MOST_RERUNS = 3
_EVER = 10**6  # requests
_AT_OLLAMA = (
    *("drop the request", "drop the answer", "cut the answer", "HTTP 500", "delay"),
    *("HTML under 200", "error line under 200"),
)
_SWAPPED = "swap the model in a version's manifest"


@dataclass
class Outcome:
    """What became of one fault."""

    where: str
    kind: str
    lasting: bool  # until the push gave up, or one request
    request: str  # the first request that it struck; "" if none came
    first: str  # how the push ended: finished, or its one line
    reruns: int
    finished: bool
    unverified: int  # times that a moving tag named something unverified
    crashed: bool  # something else than a MedllmError


class Bench:
    """Two runs on one server, and two proxies."""

    def __init__(self, folder: Path, server: str, registry: str, proxies: list[FaultyProxy]):
        """Builds both runs."""
        self.folder, self.registry = folder, registry
        self.at_ollama, self.at_registry = proxies
        self.direct = httpx.Client(base_url=f"http://{registry}", trust_env=False)
        self.runs = {
            version: build_run(folder / version, server, seed, f"medllm-{seed}")
            for version, seed in ((ONE, 0), (TWO, 10))
        }
        self.good: dict[str, str] = {}  # digest of a manifest -> tag
        self.model = "reference"
        self.unverified = 0
        for version in self.runs:
            for quant, digest in self._publish(version, AT_ONCE):
                self.good[digest] = f"{version}-{quant}"
        assert len(self.good) == len(self.runs) * len(QUANTS)

    def trial(self, number: int, fault: Fault, where: str) -> Outcome:
        """One fault during the push of the second version."""
        self.model, self.unverified = f"trial-{number}", 0
        self._publish(ONE, AT_ONCE)
        proxy = self.at_ollama if where == "ollama" else self.at_registry
        proxy.seen.clear()
        proxy.arm(fault)
        first, struck, reruns, crashed, finished = "finished", "", 0, False, False
        for attempt in range(1 + MOST_RERUNS):
            try:
                self._publish(TWO, AT_ONCE)
                finished = True
                break
            except (MedllmError, KeyboardInterrupt) as error:
                first, reruns = str(error) if attempt == 0 else first, attempt + 1
            except Exception as error:
                first, reruns, crashed = f"{type(error).__name__}: {error}", attempt + 1, True
            struck = struck or proxy.struck_at
            proxy.arm(None)
        struck = struck or proxy.struck_at
        proxy.arm(None)
        self.look("PUT", "")
        for tag, quant in zip(MOVING, ("q4_k_m", "q8_0"), strict=True):
            if finished and self.good.get(self._digest(tag) or "") != f"{TWO}-{quant}":
                self.unverified += 1
        return Outcome(
            where=where,
            kind=fault.kind,
            lasting=fault.lasts > 1,
            request=struck,
            first=first,
            reruns=reruns,
            finished=finished,
            unverified=self.unverified,
            crashed=crashed,
        )

    def look(self, method: str, path: str) -> None:
        """Read the moving tags past the proxies, after a request that may have changed one."""
        if method != "PUT" or self.model == "reference":
            return
        for tag in MOVING:
            digest = self._digest(tag)
            if digest is not None and (
                digest not in self.good or self._digest(self.good[digest]) != digest
            ):
                self.unverified += 1

    def _digest(self, tag: str) -> str | None:
        path = f"/v2/faults/{self.model}/manifests/{tag}"
        accept = "application/vnd.docker.distribution.manifest.v2+json"
        response = self.direct.get(path, headers={"Accept": accept})
        return response.headers["Docker-Content-Digest"] if response.is_success else None

    def _publish(self, version: str, patience: Patience) -> list[tuple[str, str]]:
        """Push through the proxies, quietly; quant and digest of what is published."""
        paths = RunPaths(self.folder / version)
        receipts = self.folder / "receipts" / self.model
        receipts.mkdir(parents=True, exist_ok=True)
        paths.stage("push").unlink(missing_ok=True)
        paths.stage("push").symlink_to(receipts)
        config = PushConfig(
            name=f"faults/{self.model}",
            registry=self.at_registry.host,
            insecure=True,
            version=version,
            moving_tags={"8gb": "Q8_0"},
        )
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            receipt = push(config, paths, patience)
        return [(tag.quant, str(tag.digest)) for tag in receipt.tags]

    def gguf_at_registry(self) -> str:
        """A GGUF's digest that every trial's repository holds."""
        place = repository(self.registry, "faults/reference", insecure=True)
        with contextlib.closing(Registry(place)) as registry:
            found = registry.find(f"{ONE}-{QUANTS[0]}")
        assert found is not None
        return found.layers[0].digest


@contextlib.contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Everything running."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(ollama(folder / "ollama"))
        registry = stack.enter_context(docker_registry(folder / "registry"))
        watcher: list[Bench] = []

        def watch(method: str, path: str) -> None:
            for one in watcher:
                one.look(method, path)

        at_ollama = stack.enter_context(faulty_proxy(server.removeprefix("http://")))
        at_registry = stack.enter_context(faulty_proxy(registry, watch))
        # a shell lets its background jobs ignore Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
        before = os.environ.get("OLLAMA_HOST")
        os.environ["OLLAMA_HOST"] = at_ollama.host
        try:
            watcher.append(Bench(folder, server, registry, [at_ollama, at_registry]))
            yield watcher[0]
        finally:
            del os.environ["OLLAMA_HOST"]
            if before is not None:
                os.environ["OLLAMA_HOST"] = before


def random_fault(random_: random.Random, number: int) -> tuple[Fault, str]:
    """Every kind in turn; where and when by chance."""
    kinds = (*KINDS, _SWAPPED)
    kind = kinds[number % len(kinds)]
    if kind == _SWAPPED:
        path = rf"/manifests/{TWO.replace('.', '[.]')}-"
        return Fault("change a digest", "PUT", path, random_.randrange(2)), "registry, swapped"
    method = "GET" if "answer" in kind or kind == "change a digest" else ""  # what has a body
    lasts = _EVER if random_.random() < 0.5 and kind not in ("delay", "Ctrl-C") else 1
    if kind in _AT_OLLAMA and random_.random() < 0.4:
        return Fault(kind, "POST", "^/api/push", random_.randrange(4), lasts), "ollama"
    in_request = kind == "change a digest" and random_.random() < 0.5
    if kind == "truncate the request" or in_request:
        return Fault(kind, "PUT", "/manifests/", random_.randrange(4), lasts), "registry"
    if random_.random() < 0.5:
        path = f"/manifests/({'|'.join(MOVING)})$"
        return Fault(kind, method, path, random_.randrange(4), lasts), "registry"
    # Ollama itself tries an upload again for a minute: there one fault is enough
    path = "/manifests/" if lasts > 1 else ""
    return Fault(kind, method, path, random_.randrange(8 if path else 20), lasts), "registry"


def measure(faults: int, seed: int, folder: Path) -> list[Outcome]:
    """Run so many trials."""
    random_, outcomes = random.Random(seed), []
    with bench(folder) as one:
        blob = one.gguf_at_registry()
        for number in tqdm(range(faults), disable=None):
            fault, where = random_fault(random_, number)
            swap = where.endswith("swapped")
            one.at_registry.new_body = swapped_model(blob) if swap else None
            outcomes.append(one.trial(number, fault, where))
    return outcomes


def table(outcomes: list[Outcome]) -> str:
    """Counts by place and kind, as text."""
    lines = [f"{'at':<18} {'fault':<24} {'faults':>6} {'struck':>6} {'rerun':>6} {'bad tag':>7}"]
    for where, kind in sorted({(one.where, one.kind) for one in outcomes}):
        of = [one for one in outcomes if (one.where, one.kind) == (where, kind)]
        lines.append(
            f"{where:<18} {kind:<24} {len(of):>6} {sum(one.request != '' for one in of):>6} "
            f"{sum(one.reruns > 0 for one in of):>6} {sum(one.unverified for one in of):>7}"
        )
    reruns = Counter(one.reruns for one in outcomes)
    lines += [
        "",
        f"faults: {len(outcomes)}, struck: {sum(one.request != '' for one in outcomes)}",
        f"finished without a rerun: {reruns[0]}; after one: {reruns[1]}; after more: "
        f"{sum(n for count, n in reruns.items() if count > 1)}",
        f"never finished: {sum(not one.finished for one in outcomes)}",
        f"a moving tag named something unverified: {sum(one.unverified for one in outcomes)} times",
        f"tracebacks: {sum(one.crashed for one in outcomes)}",
    ]
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON, one record a fault")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="push-faults-") as folder:
        outcomes = measure(arguments.faults, arguments.seed, Path(folder))
    print(table(outcomes))
    if arguments.out:
        arguments.out.write_text(json.dumps([asdict(one) for one in outcomes], indent=1) + "\n")
    sys.exit(any(one.unverified or one.crashed or not one.finished for one in outcomes))


if __name__ == "__main__":
    main()
