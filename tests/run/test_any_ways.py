"""Tasks of other ways than the network's, or of ways that vary; lists of tasks; averages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.data.made_splits import made_split

import fewstep
from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.fomaml import FOMAML
from fewstep.commands import episodes, evaluate
from fewstep.config.compose import compose_config, plain
from fewstep.config.evaluation import check_tasks
from fewstep.config.ranks import check_list
from fewstep.core.net import Net
from fewstep.core.objectives import Classification
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD
from fewstep.core.types import Episode, EpisodeSpec, Start
from fewstep.data.digest import episodes_sha256
from fewstep.data.manifests import manifest
from fewstep.messages.errors import ConfigError
from fewstep.models import OmniglotConv
from fewstep.models.layers import norm
from fewstep.records import benchmarks
from fewstep.run.averaging import Average, averaged, complaint
from fewstep.run.checks.ways import check_any_ways
from fewstep.run.construction import assembly
from fewstep.run.stored.checkpoint_contents import BEFORE, begun_elsewhere
from fewstep.run.testing.given_tasks import given


PROTO = ("algorithm=proto_fomaml", "trainer=cpu", "model.channels=8", "+model.norm=group")


def draft(*words: str):
    config = plain(compose_config("train", [*PROTO, *words]))
    assembly.check(config)
    experiment = assembly.draft(config)
    check_any_ways(experiment)
    return experiment


# --- what is asked for


def test_training_and_test_may_have_ways_of_their_own() -> None:
    settings = "eval.settings=[{shots: 1, steps: 1, batch_size: null},"
    settings += "{ways: 20, shots: 5, steps: 0, batch_size: null}]"
    experiment = draft("shots.train_ways=60", "shots.queries=3", settings)
    spec, test = experiment.recipe.spec, [s.spec for s in experiment.test.settings]
    assert (spec.ways, spec.shots, spec.queries) == (60, 1, 3)
    assert [(s.ways, s.shots) for s in test] == [(5, 1), (20, 5)]
    assert experiment.ways == 5


@pytest.mark.parametrize("who", ["train", "test", "both"])
def test_ways_vary_where_it_is_said(who: str) -> None:
    experiment = draft(f"shots.varies={who}", "shots=20w5s")
    assert experiment.recipe.spec.varies == (who != "test")
    assert all(s.spec.varies == (who != "train") for s in experiment.test.settings)
    assert not Net(experiment.learner.module).may_be_traced


HEAD_OF_SGD = "algorithm.inner.head=zeros", "algorithm.inner.rule=sgd"
REFUSED = {
    ("shots.train_ways=60", "algorithm.inner.head=trained"): (
        "shots.train_ways=60: the network's last layer is for shots.ways=5. Train one with "
        "algorithm.inner.head=zeros, mean or prototypes, which makes one for each task, or leave "
        "it out"
    ),
    ("shots.varies=both", "algorithm.inner.rule=adam"): (
        "shots.varies=train: the inner rule Adam remembers of the last layer what is for "
        "shots.ways=5. Train one with algorithm.inner.rule=sgd, or leave it out"
    ),
    ("shots.train_ways=9", "algorithm.inner.rule=metasgd"): (
        "shots.train_ways=9: the inner rule MetaSGD learns of the last layer what is for "
        "shots.ways=5. Train one with algorithm.inner.rule=sgd, or leave it out"
    ),
    ("shots.train_ways=9", "algorithm=joint", *HEAD_OF_SGD): (
        "shots.train_ways=9: algorithm=joint takes its gradients at the initialization, whose last "
        "layer is for shots.ways=5. Leave one of them out"
    ),
    ("shots.train_ways=9", "+algorithm@baselines.joint=joint"): (
        "shots.train_ways=9: baselines.joint takes its gradients at the initialization, whose last "
        "layer is for shots.ways=5. Leave one of them out"
    ),
    ("shots.varies=test", "execution=vmap"): (
        "execution=vmap: stacks tasks, and with shots.varies=test they are not of one shape. Use "
        "execution=auto, serial or threads"
    ),
    ("shots.train_ways=9", "execution=vmap"): (
        "execution=vmap: stacks tasks, and with shots.train_ways=9 they are not of one shape. Use "
        "execution=auto, serial or threads"
    ),
    ("shots.train_ways=1",): (
        "shots.train_ways=1: must be a whole number of at least 2 or null. For example "
        "shots.train_ways=60"
    ),
    ("shots.varies=always",): (
        "shots.varies=always: must be one of train, test, both or null. For example "
        "shots.varies=both"
    ),
    ("algorithm.outer.average=1",): (
        "algorithm.outer.average=1: must be a number above 0 and below 1 or null. For example "
        "algorithm.outer.average=0.999"
    ),
    ("++model.norm=layer",): "model.norm=layer: must be one of batch, group",
    ("model.channels=12",): (
        "model.channels=12: with model.norm=group they are normalized 8 together. Use a multiple "
        "of 8, or model.norm=batch"
    ),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as told:
        draft(*words)
    assert str(told.value) == REFUSED[words]


def test_a_network_of_prototypes_counts_the_ways_of_a_task() -> None:
    words = ["algorithm=protonet", "trainer=cpu", "shots.train_ways=9", "model.channels=4"]
    config = plain(compose_config("train", words))
    assembly.check(config)
    experiment = assembly.draft(config)
    check_any_ways(experiment)
    net = Net(experiment.learner.module)
    assert not net.may_be_traced
    for ways in (3, 5, 9):
        x, y = torch.rand(ways, 1, 28, 28), torch.arange(ways)
        given = {"support_x": x, "support_y": y}
        assert net(net.params(), x[:2], given).shape == (2, ways)


# --- lists of tasks


def on_tasks(tasks: manifest.Manifest, tmp_path: Path, *words: str):
    """An experiment on classes without a meaning, tested on a file."""
    file = tmp_path / "tasks.npz"
    manifest.write(file, tasks)
    experiment = draft(f"eval.manifest={file}", *words)
    return given(replace(experiment, splits={"test": made_split(CLASSES)}))


CLASSES = [f"class{c}" for c in range(30)]


def listed_tasks(**changes) -> manifest.Manifest:
    fields = {"ways": 5, "shots": 1, "queries": 3, "steps": 0} | changes
    return manifest.of(made_split(CLASSES), EpisodeSpec(**fields), 4, 6)


def test_a_test_on_a_file_is_on_exactly_its_tasks(tmp_path: Path) -> None:
    made = on_tasks(listed_tasks(), tmp_path)
    (setting,), test = made.test.settings, made.test
    assert (setting.spec.queries, test.seed, test.tasks, test.curve_tasks) == (3, 4, 6, 6)
    assert episodes_sha256(made.splits["test"], setting.spec, 4, 6) == listed_tasks().sha256
    varied = on_tasks(listed_tasks(ways=9, shots=2, varies=True), tmp_path)
    assert varied.test.settings[0].spec.varies
    two = ["{shots: 1, steps: 1, batch_size: 1}", "{shots: 5, steps: 1, batch_size: 1}"]
    word = f"eval.settings=[{','.join(two)}]"
    assert len(on_tasks(listed_tasks(), tmp_path, word).test.settings) == 1
    asked = draft(f"eval.manifest={tmp_path / 'tasks.npz'}", word)
    with pytest.raises(ConfigError) as told:
        given(replace(asked, splits={"test": made_split(CLASSES)}), every=True)
    assert str(told.value) == (
        f"eval.manifest={tmp_path / 'tasks.npz'}: its tasks are 5-way 1-shot with 3 queries a "
        "class, and eval.settings[1] is 5-way 5-shot. Leave that out"
    )
    assert not Net(varied.learner.module).may_be_traced


def test_tasks_that_no_setting_is_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as told:
        on_tasks(listed_tasks(ways=7), tmp_path)
    assert str(told.value) == (
        f"eval.manifest={tmp_path / 'tasks.npz'}: its tasks are 7-way 1-shot with 3 queries a "
        "class, and the settings are 5-way 1-shot. For example eval.settings='[{ways: 7, shots: 1, "
        "steps: 1, batch_size: null}]'"
    )
    fixed = "algorithm.inner.head=trained"
    for tasks, shape in (
        (listed_tasks(ways=7), "7-way 1-shot"),
        (listed_tasks(ways=9, shots=2, varies=True), "up to 9-way 2-shot"),
    ):
        with pytest.raises(ConfigError) as told:
            on_tasks(tasks, tmp_path, fixed)
        assert str(told.value) == (
            f"eval.manifest={tmp_path / 'tasks.npz'}: its tasks are {shape} with 3 queries a "
            "class, and the network's last layer is for shots.ways=5. Test one that was trained "
            "with algorithm.inner.head=zeros, mean or prototypes, or on tasks of 5 ways"
        )
    with pytest.raises(
        ConfigError, match=r": it has one task, and an interval is of two or more\. "
    ):
        on_tasks(replace(listed_tasks(), tasks=listed_tasks().tasks[:1]), tmp_path)
    first, second, *_ = listed_tasks().tasks
    for tasks, places in (([first] * 3, (1, 0)), ([first, second, second], (2, 1))):
        with pytest.raises(ConfigError) as told:
            on_tasks(replace(listed_tasks(), tasks=tasks), tmp_path)
        assert str(told.value) == (
            f"eval.manifest={tmp_path / 'tasks.npz'}: its task {places[0]} is its task {places[1]} "
            "again, counted from 0, and an interval is of tasks that are there once. Write one of "
            "this data with fewstep episodes"
        )
    experiment = draft(f"eval.manifest={tmp_path / 'none.npz'}")
    with pytest.raises(ConfigError, match=r"none\.npz: cannot be read \(No such file"):
        given(replace(experiment, splits={"test": made_split(CLASSES)}))


def test_a_list_of_fewer_tasks_than_processes_is_refused(tmp_path: Path) -> None:
    """Before anything is trained, whose end would be for nothing."""
    three = ["trainer=ddp_cpu", "trainer.devices=3"]
    two = replace(listed_tasks(), tasks=listed_tasks().tasks[:2])
    with pytest.raises(ConfigError) as told:
        on_tasks(two, tmp_path, *three)
    assert str(told.value) == (
        f"eval.manifest={tmp_path / 'tasks.npz'}: has 2 tasks, and trainer.devices=3 makes 3 "
        "processes, each of which tests at least one. Give a list of 3 tasks or more, or fewer "
        "devices, for example trainer.devices=1"
    )
    assert on_tasks(two, tmp_path, *three[:1]).test.tasks == 2
    with pytest.raises(ConfigError, match=r"^benchmark=lake: has 20 tasks, and trainer.devices=21"):
        check_list("benchmark=lake", 20, {"devices": 21, "num_nodes": 1})


# --- the head of a task


def task(ways: int, shots: int = 2) -> Episode:
    generator = torch.Generator().manual_seed(ways)
    x = torch.rand(ways * (shots + 1), 1, 12, 12, generator=generator)
    y = torch.arange(ways)
    support = ways * shots
    batches = torch.arange(support)[None].repeat(2, 1)
    return Episode(x[:support], y.repeat_interleave(shots), x[support:], y, batches)


def learner(head: str) -> tuple[FOMAML, Problem, Start]:
    torch.manual_seed(0)
    module = OmniglotConv(5, size=12, channels=8, norm="group").double()
    algorithm = FOMAML(InnerLoop(SGD(0.1), 2, head=head))
    problem = Problem(Net(module), Classification())
    return algorithm, problem, Start(problem.net.params(), {})


def double(episode: Episode) -> Episode:
    return episode._replace(support_x=episode.support_x.double(), query_x=episode.query_x.double())


@pytest.mark.parametrize("ways", [3, 5, 9])
@pytest.mark.parametrize("head", ["zeros", "mean", "prototypes"])
def test_a_head_is_for_the_ways_of_its_task(head: str, ways: int) -> None:
    algorithm, problem, start = learner(head)
    episode = double(task(ways))
    begun = algorithm.inner.start(problem, start, episode).params
    assert begun["head.weight"].shape == (ways, 8)
    direction, _, metrics = algorithm.direction(problem, start, episode)
    assert {n: d.shape for n, d in direction.items()} == {
        n: p.shape for n, p in start.params.items()
    }
    assert metrics["loss"].isfinite()
    assert problem.net.module.head.weight.shape == (5, 8)


def test_the_gradient_flows_through_the_prototypes() -> None:
    """Against differences of the query loss, of which the inner gradients are held fixed: with no
    inner step there are none."""
    algorithm, problem, start = learner("prototypes")
    algorithm = FOMAML(replace(algorithm.inner, steps=0))
    episode = double(task(4))
    direction, _, _ = algorithm.direction(problem, start, episode)

    def loss(params) -> float:
        begun = algorithm.inner.start(problem, Start(params, {}), episode).params
        outputs = problem.net(begun, episode.query_x)
        return float(torch.nn.functional.cross_entropy(outputs, episode.query_y))

    generator, h = torch.Generator().manual_seed(1), 1e-6
    for name, p in start.params.items():
        way = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        ends = [loss({**start.params, name: p + sign * h * way}) for sign in (1, -1)]
        expected = (ends[0] - ends[1]) / (2 * h)
        assert float((direction[name] * way).sum()) == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_logits_of_prototypes_are_distances() -> None:
    algorithm, problem, start = learner("prototypes")
    episode = double(task(7))
    begun = algorithm.inner.start(problem, start, episode).params
    logits = problem.net(begun, episode.query_x)
    module = problem.net.module
    support, query = (module.features(x).flatten(1) for x in (episode.support_x, episode.query_x))
    means = support.reshape(7, 2, -1).mean(1)
    distances = torch.cdist(query, means).square()
    assert torch.allclose(logits.softmax(1), (-distances).softmax(1), atol=1e-10)


def test_group_norm_knows_no_other_image() -> None:
    layer = norm(16, "group").double()
    x = torch.rand(6, 16, 3, 3, dtype=torch.float64)
    assert torch.allclose(layer(x)[2:4], layer(x[2:4]))
    assert isinstance(norm(16), torch.nn.BatchNorm2d)


# --- an average of initializations


def test_the_average_is_what_its_formula_says() -> None:
    average, expected = Average(0.5), torch.zeros(2)
    for i in range(6):
        value = torch.tensor([float(i), 1.0])
        average.update({"w": value})
        decay = min(0.5, (1 + i) / (10 + i))
        expected = value if i == 0 else decay * expected + (1 - decay) * value
    assert torch.allclose(average.of({"w": value})["w"], expected)
    again = Average(0.5)
    again.load_state_dict(average.state_dict())
    for one in (average, again):
        one.update({"w": torch.zeros(2)})
    assert torch.equal(average.params["w"], again.params["w"])
    assert Average(None).of({"w": value})["w"] is value


def test_a_checkpoint_gives_what_is_tested() -> None:
    tensors = {"module.w": torch.zeros(2), "learned.inner/lr:w": torch.zeros(1)}
    average = {"steps": 3, "params": {"w": torch.ones(2), "inner/lr.w": torch.ones(1)}}
    content = {"state_dict": tensors, "fewstep": {"average": average}}
    assert all(value.all() for value in averaged(content).values())
    assert averaged({**content, "fewstep": {}}) == tensors
    assert complaint(average, tensors) is None
    assert complaint(None, tensors) is None
    assert "must be a tensor as its network has it" in str(
        complaint({"steps": 3, "params": {"w": torch.ones(3)}}, tensors)
    )
    assert "must hold the average" in str(complaint([], tensors))
    assert "steps=-1" in str(complaint({"steps": -1, "params": {}}, tensors))


# --- the benchmark


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["eval.manifest=tasks.npz"], "benchmark=lake, eval.manifest=tasks.npz: "),
        (["eval.split=val"], "benchmark=lake, eval.split=val: "),
        (["dataset.split=authors"], "benchmark=lake, dataset.split=authors: "),
        (["dataset.within=alphabet"], "benchmark=lake, dataset.within=alphabet: "),
        (["eval.tasks=1000"], "benchmark=lake, eval.tasks=1000: "),
        (["eval.seed=5"], "benchmark=lake, eval.seed=5: "),
        (["eval.queries=3"], "benchmark=lake, eval.queries=3: "),
        (
            ["eval.settings=[{shots: 5, steps: 9, batch_size: 5}]"],
            "benchmark=lake, eval.settings=[{'shots': 5, 'steps': 9, 'batch_size': 5}]: ",
        ),
    ],
)
def test_a_benchmark_has_tasks_of_its_own(words: list[str], told: str) -> None:
    config = plain(compose_config("evaluate", ["checkpoint=any", "benchmark=lake", *words]))
    with pytest.raises(ConfigError) as refused:
        check_tasks(config)
    rest = "the benchmark is a list of tasks of its own. Leave one of them out"
    assert str(refused.value) == told + rest
    check_tasks(plain(compose_config("evaluate", ["checkpoint=any", *words])))


def test_what_was_trained_on_is_the_checkpoints_own_word() -> None:
    """Whatever the dataset that it is tested on would have done."""
    assert benchmarks.training(True, None) == "images_background, turned as well"
    assert benchmarks.training(False, None) == "images_background as it is"
    assert benchmarks.training(True, {"dataset": "mine"}) == "mine"
    told = benchmarks.training(False, None, "glyphs")
    assert told == "images_background as it is, after init=glyphs"


def test_weights_from_elsewhere_are_said_of_a_benchmarks_row() -> None:
    ours = {"config": {"init": "glyphs"}, "classes": {"train": ["a", "b"]}, BEFORE: ["b", "c"]}
    assert begun_elsewhere(ours) == "glyphs"
    assert begun_elsewhere({**ours, BEFORE: ["a"]}) is None  # of a run on the same classes
    assert begun_elsewhere({**ours, BEFORE: []}) == "glyphs"  # whose classes nobody knows
    assert begun_elsewhere({**ours, "config": {}}) is None


def test_a_file_of_tasks_says_itself_how_many_they_are() -> None:
    for word in ("eval.tasks=5", "eval.seed=1", "eval.queries=2", "dataset.within=alphabet"):
        words = ["checkpoint=any", "eval.manifest=tasks.npz", word]
        with pytest.raises(ConfigError) as refused:
            check_tasks(plain(compose_config("evaluate", words)))
        assert str(refused.value) == (
            f"eval.manifest=tasks.npz, {word}: the file is a list of tasks of its own. Leave one "
            "of them out"
        )
    setting = "eval.settings=[{shots: 1, steps: 9, batch_size: 5}]"
    check_tasks(plain(compose_config("evaluate", ["checkpoint=any", "benchmark=lake", setting])))


def test_an_interval_by_run_takes_runs_for_clusters() -> None:
    """Student's, with one degree of freedom less than there are runs."""
    accuracies = [0.95, 0.9, 1.0, 0.85] * 5
    error, half = benchmarks.by_run(accuracies)
    assert error == pytest.approx(0.075)
    deviation = (sum((1 - a - 0.075) ** 2 for a in accuracies) / 19 / 20) ** 0.5
    assert half == pytest.approx(2.093024 * deviation, rel=1e-6)


def test_published_figures_stand_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("task,loss,acc\n0,1,0.95\n1,1,0.85\n")
    entry = {"per_task_file": "a.csv", "protocol": "inductive", "steps": 1}
    rows = benchmarks.lake([entry], tmp_path, "images_background")
    assert [row["error"] for row in rows] == [0.033, 0.045, 0.08, pytest.approx(0.1), 0.135, 0.137]
    assert "10.0 %" in benchmarks.text(rows)


# --- whole runs


TINY = ["trainer=cpu", "dataset.classes=60", "max_meta_iterations=2", "eval.val_every=null"]
TINY += ["eval.tasks=6", "eval.curve_tasks=0", "execution=serial", "meta_batch=2"]
TINY += ["model.channels=8", "+model.norm=group", "algorithm=proto_fomaml"]


@pytest.mark.slow
@pytest.mark.run
def test_any_ways_are_trained_tested_listed_and_tested_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*TINY, "shots=20w5s", "shots.ways=9", "shots.train_shots=3", "shots.varies=both"]
    words += ["algorithm.outer.average=0.9"]
    trained = fewstep.train(words)
    entry = trained.results["results"][0]
    assert sum(group["tasks"] for group in entry["by_ways"]) == 6
    said = capsys.readouterr().out
    assert "any-way any-shot (up to 9-way 5-shot)" in said
    assert re.search(r"\n\nways +tasks +inductive +transductive\n", said)
    assert re.search(r"\n\nshots +tasks +inductive +transductive\n", said)
    head, *rows = (trained.folder / entry["per_task_file"]).read_text().splitlines()
    assert head == "task,loss,acc,ways,shots"
    assert len(rows) == 6
    content = torch.load(trained.folder / "checkpoints/last.ckpt", weights_only=True)
    assert content["fewstep"]["average"]["steps"] == 2

    assert episodes.main([*words, "to=tasks.npz"]) == 0
    run = f"checkpoint={trained.folder}"
    assert evaluate.main([run, "eval.manifest=tasks.npz", "execution=serial", "name=a"]) == 0
    (file,) = tmp_path.glob("outputs/runs/a/*/results.json")
    again = json.loads(file.read_text())["results"][0]
    assert again["episodes_sha256"] == entry["episodes_sha256"]
    assert again["acc"] == entry["acc"]
    assert again["loss"] == entry["loss"]


@pytest.mark.slow
@pytest.mark.run
def test_the_average_is_resumed_and_tested(tmp_path: Path) -> None:
    steady = ["algorithm.outer.schedule=linear", "algorithm.outer.final_lr=null"]

    def loss(name: str, *words: str) -> float:
        place = f"hydra.run.dir={tmp_path / name}"
        return fewstep.train([*TINY, *steady, *words, place]).results["results"][0]["loss"]

    average, four = "algorithm.outer.average=0.9", "max_meta_iterations=4"
    straight = loss("straight", average, four)
    loss("half", average)
    assert loss("resumed", average, four, f"resume={tmp_path / 'half'}") == straight
    assert loss("last", four) != straight


def test_a_split_is_a_source_of_varied_tasks_for_every_execution() -> None:
    spec = EpisodeSpec(ways=7, shots=3, queries=1, steps=1, varies=True)
    split = made_split([f"class{c}" for c in range(20)])
    assert {len(split.episode(spec, 0, i).query_y) for i in range(20)} <= {5, 6, 7}


@pytest.mark.slow
@pytest.mark.run
def test_the_twenty_runs_are_tested_beside_the_published_figures(
    tmp_path: Path, real_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word for word in TINY if "classes" not in word]
    words += ["dataset=omniglot", f"dataset.root={real_data}", "eval.protocol=support"]
    trained = fewstep.train([*words, "dataset.split=background", "max_meta_iterations=1"])
    run = [f"checkpoint={trained.folder}", "benchmark=lake", "execution=serial", "name=lake"]
    assert evaluate.main(run) == 0
    (file,) = tmp_path.glob("outputs/runs/lake/*/results.json")
    told = json.loads(file.read_text())
    (result,) = told["results"]
    assert (result["ways"], result["shots"], result["queries"], result["tasks"]) == (20, 1, 1, 20)
    rows = told["benchmark"]["rows"]
    (own,) = [row for row in rows if row["half_width"] is not None]
    assert own["error"] == pytest.approx(1 - result["acc"], abs=1e-6)
    assert own["training"] == "images_background, turned as well"
    assert "people (Lake et al. 2015)" in capsys.readouterr().out

    other = fewstep.train([*words, "dataset.split=authors", "max_meta_iterations=1"])
    assert evaluate.main([f"checkpoint={other.folder}", *run[1:]]) == 2
    assert "was trained on" in capsys.readouterr().err
    within = [f"checkpoint={trained.folder}", "dataset.within=alphabet", "execution=serial"]
    assert evaluate.main([*within, "name=within"]) == 0
    (file,) = tmp_path.glob("outputs/runs/within/*/results.json")
    found = json.loads(file.read_text())["results"][0]
    assert found["episodes_sha256"] != trained.results["results"][0]["episodes_sha256"]
