"""Videos of a stick figure whose joints are known to a fraction of a pixel."""

import cv2
import numpy as np

from animate.layouts import COCO17
from animate.video.encode import VideoWriter

SIZE = (96, 128)
FPS = 25
SHAPE = {
    **dict.fromkeys(("nose",), (0, -1.0)),
    **dict.fromkeys(("eye",), (0.03, -1.04)),
    **dict.fromkeys(("ear",), (0.07, -1.0)),
    **dict.fromkeys(("shoulder",), (0.15, -0.85)),
    **dict.fromkeys(("elbow",), (0.22, -0.65)),
    **dict.fromkeys(("wrist",), (0.25, -0.45)),
    **dict.fromkeys(("hip",), (0.1, -0.5)),
    **dict.fromkeys(("knee",), (0.1, -0.25)),
    **dict.fromkeys(("ankle",), (0.1, 0.0)),
}
_SIDES = np.array([-1.0 if name.startswith("right") else 1.0 for name in COCO17.points])
STANDING = np.array([SHAPE[name.split("_")[-1]] for name in COCO17.points]) * np.stack(
    [_SIDES, np.ones(17)], 1
)
LEFT_ARM = [COCO17.index("left_elbow"), COCO17.index("left_wrist")]
NOSE = COCO17.index("nose")


def joints(number, height=60.0):
    """(17, 3) pixels and confidence in frame ``number``: the figure sways and lifts an arm."""
    pose = STANDING.copy()
    lift = 0.5 - 0.5 * np.cos(number / 4)
    pose[LEFT_ARM, 1] -= lift * np.array([0.3, 0.7])
    places = pose * height + [64 + 8 * np.sin(number / 5), 84.0]
    return np.concatenate([places, np.ones((17, 1))], axis=1)


def backdrop(seed=0, size=SIZE):
    """A texture with corners to follow."""
    noise = (
        np.random.default_rng(seed).integers(60, 140, (size[0] // 4 + 8, size[1] // 4 + 8)).astype(np.uint8)
    )
    return cv2.resize(noise, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)


def picture(number, scene=None, moved=0.0):
    """Draw a frame: white lines for the body, a red disc on the nose; ``moved`` pixels of camera motion."""
    scene = backdrop() if scene is None else scene
    shift = np.float32([[1, 0, -moved], [0, 1, 0]])
    image = cv2.warpAffine(scene, shift, SIZE[::-1], borderMode=cv2.BORDER_REFLECT)
    image = np.repeat(image[..., None], 3, axis=2)
    places = np.round(joints(number)[:, :2] * 16).astype(int)
    for a, b in COCO17.limbs:
        cv2.line(image, places[a].tolist(), places[b].tolist(), (250, 250, 250), 2, cv2.LINE_AA, 4)
    cv2.circle(image, places[NOSE].tolist(), 4 * 16, (255, 0, 0), cv2.FILLED, cv2.LINE_AA, 4)
    return image


def write_clip(path, count, draw=picture, fps=FPS):
    with VideoWriter(path, fps) as writer:
        for number in range(count):
            writer.write(draw(number))
    return path


def write_poses(path, count, away=(), draw=joints):
    """An array of joints; of frames in ``away`` nobody is found."""
    poses = np.stack([draw(number) for number in range(count)])
    poses[list(away), :, 2] = 0.0
    np.save(path, poses)
    return path


def reddest(image):
    """Find the middle (x, y) of what is red."""
    weight = np.clip(image[..., 0].astype(float) - image[..., 1:].max(axis=-1) - 60, 0, None)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / max(weight.sum(), 1e-9)
