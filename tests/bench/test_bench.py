"""`fewstep bench`: what it refuses, what it counts, and that its table says what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fewstep.bench import estimate as estimates
from fewstep.bench import measure as measuring
from fewstep.bench import overhead as overheads
from fewstep.bench.clocks import in_turn, quartiles
from fewstep.bench.estimate import Need, estimate, refuse
from fewstep.bench.memory import available, process_peak, tensor_peak
from fewstep.bench.operations import operations
from fewstep.bench.subject import BareLoop, Subject, open_subject
from fewstep.bench.table import table
from fewstep.commands import bench
from fewstep.config.compose import compose_config, plain
from fewstep.config.room import size
from fewstep.execution.base import CPU_THREADS
from fewstep.execution.serial import Serial
from fewstep.messages.errors import ConfigError
from fewstep.run import handover
from fewstep.run.construction.assembly import assemble, draft
from fewstep.run.lightning import quiet_lightning
from fewstep.run.observers.stopwatch import Stopwatch
from fewstep.run.training import fit


CPU = torch.device("cpu")
MIB = 2**20
SMALL = [
    "trainer=cpu",
    "dataset.classes=60",
    "model.channels=4",
    "meta_batch=2",
    "execution=serial",
]


def config(*words: str) -> dict:
    return plain(compose_config("train", [*SMALL, *words]))


def peak(subject: Subject, tasks: int = 1) -> int:
    """What the first tasks of a training take when they are run one after another."""
    learner, spec = subject.learner, subject.tasks.train_spec
    episodes = [subject.split.episode(spec, 0, i) for i in range(tasks)]
    return tensor_peak(lambda: learner.directions(episodes, Serial(learner.module)), CPU)


# --- memory


def test_tensor_peak_is_exact() -> None:
    def work() -> None:
        a = torch.zeros(1000)
        b = torch.zeros(500)
        del a
        torch.zeros(250)
        del b

    assert tensor_peak(work, CPU) == 4 * (1000 + 500)


def test_process_peak_sees_what_is_written_to() -> None:
    grown = process_peak(lambda: torch.ones(64 * MIB // 4), CPU)
    assert 60 * MIB < grown < 80 * MIB  # the kernel counts pages in batches


GROUPS = {
    "second version": (
        "0::/jobs/mine\n",
        {
            "sys/fs/cgroup/jobs/mine/memory.max": "max",
            "sys/fs/cgroup/jobs/memory.max": "3000000",
            "sys/fs/cgroup/jobs/memory.current": "1000000",
            "sys/fs/cgroup/jobs/memory.stat": "anon 5\ninactive_file 400000\n",
        },
        3_000_000 - (1_000_000 - 400_000),
    ),
    "first version, the host's path": (
        "9:name=systemd:/\n4:memory:/elsewhere\n",
        {
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "500000",
            "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 0\n",
        },
        1_500_000,
    ),
    "no limit": ("0::/\n", {}, 8000 * 1024),
    "no groups": (None, {}, 8000 * 1024),
}


@pytest.mark.parametrize("kind", GROUPS)
def test_available_is_the_least_of_the_machine_and_its_groups(kind: str, tmp_path: Path) -> None:
    own, files, expected = GROUPS[kind]
    files = {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n", **files}
    files |= {"proc/self/cgroup": own} if own else {}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available(CPU, tmp_path) == expected


def test_available_here_is_below_what_the_machine_has() -> None:
    total = Path("/proc/meminfo").read_text().split()[1]
    assert 0 < available(CPU) < int(total) * 1024


# --- what will be needed


@pytest.mark.parametrize("algorithm", ["reptile", "fomaml"])
def test_first_order_memory_does_not_grow_with_the_inner_steps(algorithm: str) -> None:
    words = [f"algorithm={algorithm}", "algorithm.inner.batch_size=5"]
    few, many = (config(*words, f"algorithm.inner.steps={k}") for k in (3, 12))
    assert peak(open_subject(assemble(few))) == peak(open_subject(assemble(many)))
    assert estimate(open_subject(assemble(few))).a_step == 0


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_the_estimate_of_maml_is_what_it_takes(rule: str) -> None:
    words = ["algorithm=maml", "algorithm.inner.steps=9", f"algorithm.inner.rule={rule}"]
    subject = open_subject(assemble(config(*words)))
    need = estimate(subject)
    assert need.a_step > 0
    assert need.inner_loop == pytest.approx(peak(subject), rel=0.01)


def test_the_estimate_counts_segments() -> None:
    words = ["algorithm=maml", "algorithm.inner.steps=8"]
    whole = estimate(open_subject(assemble(config(*words))))
    subject = open_subject(assemble(config(*words, "algorithm.checkpoint_steps=2")))
    need = estimate(subject)
    assert need.inner_loop < whole.inner_loop / 2
    assert need.inner_loop == pytest.approx(peak(subject), rel=0.2)


@pytest.mark.parametrize(
    "words",
    [
        ["algorithm=combination", "algorithm.inner.steps=2", "algorithm.weights=[1,1]"],
        ["algorithm=truncated", "algorithm.inner.steps=5", "algorithm.order=4"],
        ["algorithm=binomial", "algorithm.inner.steps=5", "algorithm.order=4"],
    ],
    ids=lambda words: words[0],
)
def test_what_takes_not_every_number_of_steps_is_estimated_by_those_that_it_takes(words) -> None:
    subject = open_subject(assemble(config(*words)))
    assert estimate(subject).inner_loop == pytest.approx(peak(subject), rel=0.05)


def test_what_each_execution_holds() -> None:
    need = Need(inner_loop=100, a_step=10, kept=7, a_row=0, tasks=5)
    assert need.of("serial") == 100 + 5 * 7
    assert need.of("threads") == min(CPU_THREADS, 5) * 100 + 5 * 7
    assert need.of("vmap") == 5 * 100 + 2 * 5 * 7


REFUSED = {
    "another execution fits": (
        Need(inner_loop=4 * 1024 * MIB, a_step=0, kept=MIB, a_row=0, tasks=5),
        ["algorithm=reptile", "meta_batch=5"],
        "vmap",
        "meta_batch=5, algorithm.inner.steps=5: execution=vmap needs about 20.0 GiB of memory and "
        "6.0 GiB are free: inner loops of 4.0 GiB, 5 at a time, and 5 tasks of 1 MiB. Use "
        "execution=serial or lower meta_batch or algorithm.inner.batch_size",
    ),
    "second order": (
        Need(inner_loop=12 * 1024 * MIB, a_step=24 * MIB, kept=2 * MIB, a_row=0, tasks=8),
        ["algorithm=maml", "algorithm.inner.steps=512", "meta_batch=8"],
        "serial",
        "meta_batch=8, algorithm.inner.steps=512: execution=serial needs about 12.0 GiB of memory "
        "and 6.0 GiB are free: inner loops of 12.0 GiB (24 MiB for each inner step whose graph is "
        "held), 1 at a time, and 8 tasks of 2 MiB. Use algorithm.checkpoint_steps=22 or lower "
        "meta_batch or algorithm.inner.steps or algorithm.inner.batch_size",
    ),
    "too many tasks": (
        Need(inner_loop=MIB // 2, a_step=0, kept=MIB, a_row=0, tasks=1_000_000),
        ["algorithm=reptile", "meta_batch=1000000"],
        "serial",
        "meta_batch=1000000, algorithm.inner.steps=5: execution=serial needs about 976.6 GiB of "
        "memory and 6.0 GiB are free: inner loops of 512 KiB, 1 at a time, and 1000000 tasks of "
        "1 MiB. Lower meta_batch",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_fit_is_refused_with_the_numbers(kind: str) -> None:
    need, words, execution, message = REFUSED[kind]
    with pytest.raises(ConfigError) as refusal:
        refuse(need, ["serial", "vmap"], execution, 6 * 1024 * MIB, draft(config(*words)).recipe)
    assert str(refusal.value) == message


def test_what_fits_is_not_refused() -> None:
    refuse(Need(1000, 0, 0, 0, 5), ["serial"], "serial", 1000, draft(config()).recipe)


def test_the_command_refuses_before_it_runs_anything(monkeypatch, capsys) -> None:
    monkeypatch.setattr(measuring, "available", lambda device: 1000)
    monkeypatch.setattr(measuring, "in_turn", lambda *_: pytest.fail("it was run"))
    assert bench.main([*SMALL, "algorithm=maml", "algorithm.inner.steps=40"]) == 2
    out, message = capsys.readouterr()
    assert not out
    assert message.startswith("fewstep: meta_batch=2, algorithm.inner.steps=40: execution=serial")
    assert "1 KiB are free" in message


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("meta_batch=1000000000", "the tasks of a meta-batch would take "),
        ("algorithm.inner.steps=100000000000", "would take 14.6 TiB of memory"),
    ],
)
def test_what_could_not_even_be_drawn_is_refused(word: str, said: str, capsys) -> None:
    words = [w for w in SMALL if w.partition("=")[0] not in word]
    assert bench.main([*words, word]) == 2
    assert said in capsys.readouterr().err


def test_several_devices_are_refused_with_their_number(capsys) -> None:
    assert bench.main([*SMALL, "trainer=ddp_cpu", "trainer.devices=2"]) == 2
    said = (
        "fewstep: trainer.devices=2: must be 1, as fewstep bench times one. Use trainer.devices=1"
    )
    assert capsys.readouterr().err.strip() == said


def test_what_is_timed_is_what_was_settled(monkeypatch, capsys) -> None:
    """With the length that its budget is, and not made a second time."""
    timed = []
    monkeypatch.setattr(measuring, "measure", timed.append)
    monkeypatch.setattr("fewstep.bench.table.table", lambda _: "")
    monkeypatch.setattr(handover, "assemble", lambda _: pytest.fail("it was made again"))
    assert bench.main([*SMALL, "budget.tasks=60"]) == 0
    assert timed[0].schedule.max_meta_iterations == 30


def test_sizes() -> None:
    counts = {2048: "2 KiB", 3 * MIB: "3 MiB", 1536 * MIB: "1.5 GiB", 2**41: "2.0 TiB"}
    assert {n: size(n) for n in counts} == counts


# --- the bare loop


@pytest.mark.parametrize("state", ["carry", "reset", "sequential"])
def test_the_bare_loop_trains_as_lightning_does(state: str, tmp_path: Path) -> None:
    """Three meta-iterations of each, from the same initialization, end in the same parameters."""
    chosen = config(
        f"algorithm.inner.state={state}", "max_meta_iterations=3", "eval.val_every=null"
    )
    quiet_lightning()
    bare, trained = open_subject(assemble(chosen)), open_subject(assemble(chosen))
    loop = BareLoop(bare)
    for _ in range(3):
        loop()
    fit(trained.experiment, trained.tasks, tmp_path, "test")
    ours, theirs = bare.learner.net.params(), trained.learner.net.params()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-6)
    assert int(bare.learner.state["t"]) == int(trained.learner.state["t"])


def test_a_training_is_timed_by_the_meta_iterations_that_count(monkeypatch, tmp_path: Path) -> None:
    """Ten seconds of all ten, of which the five after the warm-up took two each: the warm-up is no
    part of either."""
    watch = Stopwatch()
    watch.seconds, watch.warm_seconds, watch.meta_iterations = 25.0, 10.0, 5
    monkeypatch.setattr(overheads, "fit", lambda *_: (watch, tmp_path))
    subject = open_subject(assemble(config("eval.val_every=null")))
    assert overheads.training(subject, 10)[0] == 2.0


# --- operations


@pytest.mark.parametrize("batch_size", [10, 20])
def test_operations_are_those_of_the_layers(batch_size: int) -> None:
    """Reptile's steps are a forward pass and the gradients of inputs and weights, but for the
    images: 3 times the products, less one. 20 images are more than the small kernel takes."""
    subject = open_subject(assemble(config(f"algorithm.inner.batch_size={batch_size}")))
    channels = 4
    layers = [2 * 9 * into * channels * side**2 for into, side in ((1, 14), (4, 7), (4, 4), (4, 2))]
    head = 2 * 5 * channels * 2 * 2
    a_step = batch_size * (3 * (sum(layers) + head) - layers[0])
    assert operations(subject, next(subject.meta_batches())[0]) == 5 * a_step


# --- clocks and the table


def test_each_has_its_turn_in_every_round() -> None:
    order: list[str] = []
    turns = {name: (lambda name=name: order.append(name)) for name in "abc"}
    times = in_turn(turns, CPU, rounds=3, turn_seconds=0)
    assert "".join(order) == "aabbcc" + "abc" + "bca" + "cab"
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 3, "c": 3}


def test_quartiles() -> None:
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 3.0, 4.0)
    assert quartiles([7.0]) == (7.0, 7.0, 7.0)


@pytest.mark.slow
def test_the_table_of_a_real_measurement(monkeypatch) -> None:
    """`vmap` is short of memory, and says so in its row; the others are measured."""
    monkeypatch.setattr(measuring, "ROUNDS", 1)
    monkeypatch.setattr(measuring, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(measuring, "OVERHEAD_ROUNDS", 2)
    monkeypatch.setattr(overheads, "ITERATIONS", (2, 2))
    monkeypatch.setattr(
        estimates.Need, "of", lambda need, name: 10**15 if name == "vmap" else need.inner_loop
    )
    figures = measuring.measure(assemble(config("algorithm.inner.steps=2")))
    assert set(figures.times) == set(figures.peaks) == {"serial", "threads"}
    assert all(low <= middle <= high for low, middle, high in figures.times.values())
    low, middle, high = figures.overhead.outside
    assert 0 < low <= middle <= high < 1
    text = table(figures)
    assert "vmap        not run: needs 909.5 TiB" in text
    assert "no GPU was used: the rows of a GPU were not run" in text
    fastest = min(figures.times, key=lambda name: figures.times[name][1])
    assert f"fastest here: execution={fastest}" in text


@pytest.mark.slow
@pytest.mark.alone
def test_a_network_that_draws_is_timed_as_it_runs(capsys):
    words = ["dataset=sine", "trainer=cpu", "model._target_=networks.Noisy", "~model.activation"]
    assert bench.main([*words, "~model.hidden"]) == 0
    printed = capsys.readouterr().out
    assert "fastest here: execution=serial" in printed
    assert printed.count("not run: the network is not for it") == 2
