"""The converter against golden vectors: published weights and YAML in, published outputs out."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import tarfile

import pytest
import torch

from animate import checkpoints
from animate.checkpoints.convert import fomm
from animate.checkpoints.convert.fomm_config import read_config
from animate.networks.fomm import Discriminator, FirstOrderModel


def assert_outputs_are_published(model, published):
    """At most 2e-5, or 5 times the published computation's own distance from float64."""
    golden, noise = published.tensors, published.facts["parts"]
    source = golden["losses.in.source"]
    with torch.no_grad():
        keypoints = model.keypoint_detector(source)
        animation = model.generator(
            source,
            kp_source=published.part("generator.in.kp_source."),
            kp_driving=published.part("generator.in.kp_driving."),
        )
    for name in ("value", "jacobian"):
        expected = golden[f"kp_detector.out.{name}"]
        torch.testing.assert_close(keypoints[name], expected, rtol=2e-5, atol=2e-6)
    for name in ("prediction", "deformed"):
        bound = max(2e-5, 5 * noise["generator"]["f64_noise"][f"generator.{name}"])
        torch.testing.assert_close(
            animation[name], golden[f"generator.outac.generator.{name}"], rtol=0, atol=bound
        )


def state_of(path):
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.mark.parametrize("new_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_published_model_gives_its_published_outputs(published, new_zip, prefix):
    for part in ("generator", "kp_detector", "discriminator"):
        published.checkpoint[part] = {f"{prefix}{k}": v for k, v in published.checkpoint[part].items()}
    published.checkpoint["optimizer_generator"] = {"state": {0: {"step": 3}}, "param_groups": []}
    config, checkpoint, output = published.write(new_zip=new_zip)
    report = fomm.convert(config, checkpoint, output)
    assert "networks and discriminator" in report
    assert "64 px" in report
    assert_outputs_are_published(checkpoints.load(output), published)


def test_the_file_holds_its_own_tensors_only(published):
    """Views into one large storage must not carry the whole of it along; half precision becomes float32."""
    big = torch.zeros(2_000_000)
    state = published.checkpoint["generator"]
    views = {k: big[: v.numel()].view_as(v) if v.is_floating_point() else v for k, v in state.items()}
    published.checkpoint["generator"] = views | {"final.weight": state["final.weight"].half()}
    config, checkpoint, output = published.write(new_zip=True)
    fomm.convert(config, checkpoint, output)
    assert checkpoint.stat().st_size > 8_000_000
    assert output.stat().st_size < 1_500_000
    assert {value.dtype for value in state_of(output).values()} == {torch.float32, torch.int64}


def test_names_go_there_and_back(published):
    config, checkpoint, output = published.write()
    fomm.convert(config, checkpoint, output)
    ours = state_of(output)
    back = {fomm.published_name(name, ours): value for name, value in ours.items()}
    assert len(back) == len(ours)
    expected = fomm.published_state(published.checkpoint, checkpoint)
    assert back.keys() == expected.keys()
    assert all(torch.equal(back[name], expected[name]) for name in expected)
    # once more, from the published layout that came back
    parts = {part: {} for part in fomm.PARTS}
    for name, value in back.items():
        part, key = name.split(".", 1)
        parts[part][key] = value
    published.checkpoint = parts
    fomm.convert(*published.write(), overwrite=True)
    assert all(torch.equal(value, ours[name]) for name, value in state_of(output).items())


@pytest.mark.parametrize("jacobian", ["per_keypoint", "shared", "none"])
@pytest.mark.parametrize("spectral_norm", [True, False])
def test_published_names_of_the_full_size_models(jacobian, spectral_norm):
    """Lengths of the published state dicts, less the anti-alias kernel that two of them carry."""
    with torch.device("meta"):
        networks = FirstOrderModel(jacobian=jacobian).state_dict()
        discriminator = Discriminator(spectral_norm=spectral_norm).state_dict()
    ours = {f"networks.{k}": v for k, v in networks.items()}
    ours |= {f"discriminator.{k}": v for k, v in discriminator.items()}
    names = {fomm.published_name(name, ours) for name in ours}
    count = {part: sum(name.startswith(f"{part}.") for name in names) for part in fomm.PARTS}
    assert count == {
        "generator": 196 - 1,
        "kp_detector": 75 - 1 - (2 if jacobian == "none" else 0),
        "discriminator": 26 if spectral_norm else 16,
    }


def test_batch_counters_may_be_missing(published):
    for part in ("generator", "kp_detector"):
        state = published.checkpoint[part]
        published.checkpoint[part] = {k: v for k, v in state.items() if "num_batches_tracked" not in k}
    config, checkpoint, output = published.write()
    fomm.convert(config, checkpoint, output)
    assert_outputs_are_published(checkpoints.load(output), published)


def test_without_discriminator_and_optimisers(published):
    del published.checkpoint["discriminator"], published.checkpoint["epoch"]
    config, checkpoint, output = published.write()
    fomm.convert(config, checkpoint, output)
    assert torch.load(output, weights_only=True)["animate"]["discriminator"] is None
    assert all(name.startswith("networks.") for name in state_of(output))
    assert_outputs_are_published(checkpoints.load(output), published)


def reference_discriminator():
    """Two convolutions under torch's own spectral norm, whose names are those of the published files."""
    convolutions = {"down_blocks.0.conv": torch.nn.Conv2d(3, 4, 4), "conv": torch.nn.Conv2d(4, 1, 1)}
    return {name: torch.nn.utils.spectral_norm(conv) for name, conv in convolutions.items()}


@pytest.mark.parametrize("torch_1_0", [False, True], ids=["with_v", "without_v"])
@pytest.mark.filterwarnings("ignore:.*spectral_norm.*:FutureWarning")
def test_spectral_norm_as_torch_computes_it(published, torch_1_0):
    torch.manual_seed(0)
    layers = reference_discriminator()
    x = torch.rand(2, 3, 16, 16)
    for _ in range(3):  # power iterations: u and v are no longer those of the start
        layers["conv"](layers["down_blocks.0.conv"](x))
    state = {
        f"discs.1.{name}.{key}": value.detach().clone()
        for name, layer in layers.items()
        for key, value in layer.state_dict().items()
    }
    if torch_1_0:
        # That version kept the normalised weight of the last step, and computed v when it was needed.
        for name, layer in layers.items():
            del state[f"discs.1.{name}.weight_v"]
            state[f"discs.1.{name}.weight"] = layer.weight.detach().clone()
    published.checkpoint["discriminator"] = state
    published.config["model_params"]["discriminator_params"] |= {
        "block_expansion": 2,
        "num_blocks": 1,
        "sn": True,
        "use_kp": False,
    }
    config, checkpoint, output = published.write()
    fomm.convert(config, checkpoint, output)
    written = torch.load(output, weights_only=True)
    ours = Discriminator(**written["animate"]["discriminator"]).eval()
    ours.load_state_dict(
        {
            k.removeprefix("discriminator."): v
            for k, v in written["state_dict"].items()
            if k.startswith("disc")
        }
    )
    for layer in layers.values():
        layer.eval()
    with torch.no_grad():
        features = torch.nn.functional.leaky_relu(layers["down_blocks.0.conv"](x), 0.2)
        expected = layers["conv"](features)
        torch.testing.assert_close(ours(x).score, expected, rtol=1e-5, atol=1e-6)


def write_oldest(path, parts):
    """Write torch's oldest format (before 0.1.10): a tar of storages, tensors and a pickle of names."""
    storages, tensors = io.BytesIO(), io.BytesIO()
    flat = [(part, key, value.contiguous()) for part, state in parts.items() for key, value in state.items()]
    pickle.dump(len(flat), storages, protocol=2)
    pickle.dump(len(flat), tensors, protocol=2)
    for number, (_, _, value) in enumerate(flat):
        kind = torch.LongStorage if value.dtype == torch.int64 else torch.FloatStorage
        tensor = torch.LongTensor if value.dtype == torch.int64 else torch.FloatTensor
        pickle.dump((number, "cpu", kind), storages, protocol=2)
        storages.write(struct.pack("<q", value.numel()) + value.numpy().tobytes())
        pickle.dump((number + 10_000, number, tensor), tensors, protocol=2)
        shape, stride = value.shape, value.stride()
        tensors.write(struct.pack("<i", value.dim()) + b"\0" * 4)
        tensors.write(struct.pack(f"<{value.dim()}q", *shape) + struct.pack(f"<{value.dim()}q", *stride))
        tensors.write(struct.pack("<q", 0))
    pickle.dump([], storages, protocol=2)
    body = io.BytesIO()
    pickler = pickle.Pickler(body, protocol=2)
    numbers = {id(value): number + 10_000 for number, (_, _, value) in enumerate(flat)}
    pickler.persistent_id = lambda item: str(numbers[id(item)]) if id(item) in numbers else None
    tree = {part: {} for part in parts}
    for part, key, value in flat:
        tree[part][key] = value
    pickler.dump(tree)
    with tarfile.open(path, "w:") as archive:
        for name, content in (("storages", storages), ("tensors", tensors), ("pickle", body)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content.getvalue())
            archive.addfile(entry, io.BytesIO(content.getvalue()))


def test_the_oldest_tar_format_needs_the_flag(published, refusal):
    config, checkpoint, output = published.write()
    parts = {name: value for name, value in published.checkpoint.items() if name != "epoch"}
    # no zero-dimensional tensors then
    parts = {
        part: {k: v for k, v in state.items() if "num_batches" not in k} for part, state in parts.items()
    }
    write_oldest(checkpoint, parts)
    message = refusal(fomm.convert, config, checkpoint, output)
    assert "tar" in message
    assert "--allow-pickle" in message
    fomm.convert(config, checkpoint, output, allow_pickle=True)
    assert_outputs_are_published(checkpoints.load(output), published)


class RunsCode:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("new_zip", [True, False])
def test_a_file_that_can_run_code_needs_the_flag(published, refusal, new_zip):
    marker = published.folder / "ran"
    published.checkpoint["epoch"] = RunsCode(str(marker))
    config, checkpoint, output = published.write(new_zip=new_zip)
    message = refusal(fomm.convert, config, checkpoint, output)
    assert "--allow-pickle" in message
    assert "open" in message
    assert not marker.exists()
    assert not output.exists()
    fomm.convert(config, checkpoint, output, allow_pickle=True)
    assert marker.exists()
    assert_outputs_are_published(checkpoints.load(output), published)


def test_a_pickle_of_a_class_that_is_not_here(published, refusal, monkeypatch):
    home = type(sys)("gone_package")
    home.Thing = type("Thing", (), {"__module__": "gone_package"})
    monkeypatch.setitem(sys.modules, "gone_package", home)
    published.checkpoint["epoch"] = home.Thing()
    config, checkpoint, output = published.write()
    monkeypatch.delitem(sys.modules, "gone_package")
    message = refusal(fomm.convert, config, checkpoint, output, allow_pickle=True)
    assert "gone_package" in message


def test_all_keys_that_do_not_fit_are_listed_in_published_names(published, refusal):
    state = published.checkpoint["generator"]
    del state["final.bias"], state["bottleneck.r1.norm2.running_var"]
    state["up_blocks.2.conv.weight"] = torch.zeros(1)
    published.checkpoint["kp_detector"]["kp.bias"] = torch.zeros(9)
    published.checkpoint["discriminator"]["discs.0-5.conv.bias"] = torch.zeros(1)
    config, checkpoint, output = published.write()
    message = refusal(fomm.convert, config, checkpoint, output)
    for part in (
        "missing: generator.{bottleneck.r1.norm2.running_var,final.bias}",
        "generator.up_blocks.2.conv.weight",
        "discriminator.discs.0-5.conv.bias",
        "kp_detector.kp.bias is 9 instead of 5",
        str(config),
        str(checkpoint),
    ):
        assert part in message
    assert not output.exists()


@pytest.mark.parametrize(
    ("section", "key", "value", "told"),
    [
        ("common_params", "num_kp", 6, "kp_detector.{kp.{weight is 5x11x7x7 instead of 6x11x7x7"),
        ("common_params", "estimate_jacobian", False, "unexpected: kp_detector.jacobian.{bias,weight}"),
        (
            "kp_detector_params",
            "single_jacobian_map",
            True,
            "weight is 20x11x7x7 instead of 4x11x7x7",
        ),
        ("generator_params", "num_bottleneck_blocks", 3, "generator.bottleneck.r2"),
        ("discriminator_params", "sn", False, "missing: discriminator.discs.1."),
    ],
)
def test_a_configuration_that_is_not_the_files(published, refusal, section, key, value, told):
    published.config["model_params"][section][key] = value
    assert told in refusal(fomm.convert, *published.write())


@pytest.mark.parametrize(
    ("section", "changes", "told"),
    [
        ("common_params", {"num_channels": 1}, "model_params.common_params.num_channels: 1 is not supported"),
        ("kp_detector_params", {"pad": 3}, "model_params.kp_detector_params.pad: 3 is not supported"),
        (
            "kp_detector_params",
            {"scale_factor": 0.5},
            "scale_factor: 0.5 is not supported",
        ),
        (
            "discriminator_params",
            {"scales": [1, 0.5]},
            "scales: [1, 0.5] is not supported",
        ),
        (
            "generator_params",
            {"use_attention": True},
            "use_attention is not a known setting",
        ),
        ("generator_params", {"block_expansion": "64"}, "generator_width must be a whole number"),
        ("generator_params", {"dense_motion_params": None}, "dense_motion_params.block_expansion is missing"),
        ("generator_params", {"dense_motion_params": 3}, "dense_motion_params must be a section, not 3"),
        ("kp_detector_params", {"temperature": None}, "temperature must be a number"),
        ("avd_network_params", {"x": 1}, "model_params.avd_network_params is not a known setting"),
    ],
)
def test_settings_that_are_not_supported_are_named(published, refusal, section, changes, told):
    model = published.config["model_params"]
    model[section] = model.get(section, {}) | changes
    config, *_ = published.write()
    message = refusal(read_config, config)
    assert told in message
    assert str(config) in message


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ([256, 128, 3], "must be [side, side, 3]"),
        (256, "must be"),
        ([66, 66, 3], "no whole number"),
    ],
)
def test_frame_shapes_that_are_refused(published, refusal, shape, told):
    published.config["dataset_params"] = {"image_shape": shape}
    assert told in refusal(read_config, published.write()[0])


VOX_ADV = """
dataset_params: {frame_shape: [256, 256, 3], id_sampling: True, pairs_list: data/vox256.csv}
model_params:
  common_params: {num_kp: 10, num_channels: 3, estimate_jacobian: True}
  kp_detector_params:
    {temperature: 0.1, block_expansion: 32, max_features: 1024, scale_factor: 0.25, num_blocks: 5}
  generator_params:
    block_expansion: 64
    max_features: 512
    num_down_blocks: 2
    num_bottleneck_blocks: 6
    estimate_occlusion_map: True
    dense_motion_params: {block_expansion: 64, max_features: 1024, num_blocks: 5, scale_factor: 0.25}
  discriminator_params: {scales: [1], block_expansion: 32, max_features: 512, num_blocks: 4, use_kp: True}
train_params: {num_epochs: 150, lr_generator: 2.0e-4}
"""


def test_the_published_vox_adv_settings_are_our_defaults(tmp_path):
    config = tmp_path / "vox-adv-256.yaml"
    config.write_text(VOX_ADV)
    networks, discriminator = read_config(config)
    assert networks == FirstOrderModel().arguments
    assert discriminator == Discriminator(condition_on_keypoints=True).arguments


def test_files_that_are_no_configuration(tmp_path, refusal):
    files = {
        "list.yaml": ("- 1\n- 2\n", "holds no sections"),
        "odd.yaml": ("a: [1,\nb: }", "is not a YAML file"),
        "other.yaml": ("train: 3", "no model_params"),
        "unsafe.yaml": ("a: !!python/object/apply:os.system ['true']", "is not a YAML file"),
    }
    for name, (text, told) in files.items():
        (tmp_path / name).write_text(text)
        message = refusal(read_config, tmp_path / name)
        assert told in message
        assert name in message
    (tmp_path / "weights.yaml").write_bytes(bytes(range(256)))
    assert "is not a YAML file" in refusal(read_config, tmp_path / "weights.yaml")
    assert "there is no configuration" in refusal(read_config, tmp_path / "nowhere.yaml")


def test_checkpoints_of_other_kinds(published, refusal):
    config, checkpoint, output = published.write()
    fomm.convert(config, checkpoint, output)
    again = output.with_name("again.ckpt")
    assert "is a checkpoint of animate already" in refusal(fomm.convert, config, output, again)
    cases = [
        ({"inpainting_network": {}, "kp_detector": {}}, "it has no generator (it holds inpainting_network"),
        ({"a.weight": torch.zeros(1)}, "it has no kp_detector and no generator"),
        (published.checkpoint | {"bg_predictor": {"a": torch.zeros(1)}}, "holds bg_predictor"),
        (published.checkpoint | {"generator": [1]}, "generator is a list"),
        (
            published.checkpoint | {"generator": {"final.bias": "x"}},
            "final.bias is a str instead of 3",
        ),
    ]
    for content, told in cases:
        torch.save(content, checkpoint)
        assert told in refusal(fomm.convert, config, checkpoint, again)
    del published.config["model_params"]["discriminator_params"]
    assert "has no discriminator_params" in refusal(fomm.convert, *published.write()[:2], again)
    assert not again.exists()


def test_an_existing_output_is_kept(published, refusal):
    config, checkpoint, output = published.write()
    output.write_text("mine")
    assert "--overwrite" in refusal(fomm.convert, config, checkpoint, output)
    assert output.read_text() == "mine"
    fomm.convert(config, checkpoint, output, overwrite=True)
    assert checkpoints.load(output).arguments["image_size"] == 64
