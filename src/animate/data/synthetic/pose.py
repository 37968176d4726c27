"""How the bones of a rig stand in every frame of a clip, and the affine maps that follow from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from animate.data.synthetic.rig import Rig

    Curve = NDArray[np.float64] | float

_DAMPING = 0.28
_LEVER = 0.30
"""Length, in picture units, of the pendulum that a swinging bone stands for."""
_MAX_SWING = 1.0


class Pose:
    """Curves over T frames for each of a rig's B bones, all zero (scales: 1) at first.

    ``angle`` turns clockwise on the screen, ``yaw`` to the viewer's right, ``pitch`` upwards, in radians;
    ``shift`` moves the pivot, in picture units; ``scale`` stretches along the rest pose's x and y. Children
    follow the parent's pivot map and angle; yaw, pitch and scale belong to a bone alone.
    """

    def __init__(self, rig: Rig, num_frames: int) -> None:
        shape = (num_frames, len(rig.bones))
        self.rig = rig
        self.angle = np.zeros(shape)
        self.yaw = np.zeros(shape)
        self.pitch = np.zeros(shape)
        self.shift = np.zeros((*shape, 2))
        self.scale = np.ones((*shape, 2))
        self.depth = np.tile(np.arange(len(rig.layers), dtype=np.float64), (num_frames, 1))
        """(T, layers): painted from the smallest to the largest."""

    def turn(self, bone: str, angle: Curve = 0.0, yaw: Curve = 0.0, pitch: Curve = 0.0) -> None:
        """Set the angles of a bone."""
        i = self.rig.bone(bone)
        self.angle[:, i], self.yaw[:, i], self.pitch[:, i] = angle, yaw, pitch

    def move(self, bone: str, x: Curve = 0.0, y: Curve = 0.0) -> None:
        """Set the shift of a bone's pivot."""
        i = self.rig.bone(bone)
        self.shift[:, i, 0], self.shift[:, i, 1] = x, y

    def stretch(self, bone: str, x: Curve = 1.0, y: Curve = 1.0) -> None:
        """Set the scale of a bone."""
        i = self.rig.bone(bone)
        self.scale[:, i, 0], self.scale[:, i, 1] = x, y

    def place_layer(self, layer: str, depth: Curve) -> None:
        """Set the depth of a layer."""
        self.depth[:, self.rig.layers.index(layer)] = depth

    def maps(self) -> NDArray[np.float64]:
        """Compute all bones' maps (T, B, 3, 4), from rest positions (x, y, depth, 1) to the picture."""
        maps = np.empty((*self.angle.shape, 3, 4))
        world = np.empty_like(self.angle)
        linear = self._linear()
        for i, bone in enumerate(self.rig.bones):
            pivot = np.asarray(bone.pivot)
            rest = np.empty((len(maps), 3))
            rest[:, :2], rest[:, 2] = self.shift[:, i], 0.0
            rest += pivot
            world[:, i] = self.angle[:, i]
            if bone.parent >= 0:
                parent = maps[:, bone.parent]
                rest = np.matmul(parent[:, :, :3], rest[:, :, None])[:, :, 0] + parent[:, :, 3]
                world[:, i] += world[:, bone.parent] if bone.inherits else 0.0
            cosine, sine = np.cos(world[:, i])[:, None], np.sin(world[:, i])[:, None]
            turned = maps[:, i, :, :3]
            turned[:, 0] = cosine * linear[:, i, 0] - sine * linear[:, i, 1]
            turned[:, 1] = sine * linear[:, i, 0] + cosine * linear[:, i, 1]
            turned[:, 2] = linear[:, i, 2]
            maps[:, i, :, 3] = rest - turned @ pivot
        return maps

    def swing(self, fps: float) -> None:
        """Let the bones that have a spring follow the motion of what they hang on, as damped pendulums.

        The angle a of a pendulum obeys a'' = -w^2 a - 2 c w a' + push, where the push is the acceleration of
        the pivot across the bone by the lever, less the parent's own angular acceleration. It is integrated
        exactly from frame to frame, from rest, with the push held in between; the first frames are the run-
        in.
        """
        hanging = [i for i, bone in enumerate(self.rig.bones) if bone.spring > 0.0]
        pushes = self._push(hanging, fps)
        omega = 2.0 * math.pi * np.array([self.rig.bones[i].spring for i in hanging])
        decay, ringing = np.exp(-_DAMPING * omega / fps), omega * math.sqrt(1.0 - _DAMPING**2)
        cosine, sine = decay * np.cos(ringing / fps), decay * np.sin(ringing / fps) / ringing
        angle, speed = np.zeros(len(hanging)), np.zeros(len(hanging))
        for t, rest in enumerate(pushes / omega**2):
            away = angle - rest
            angle = rest + (cosine + _DAMPING * omega * sine) * away + sine * speed
            speed = (cosine - _DAMPING * omega * sine) * speed - omega**2 * sine * away
            self.angle[t, hanging] += _MAX_SWING * np.tanh(angle / _MAX_SWING)

    def _push(self, hanging: list[int], fps: float) -> NDArray[np.float64]:
        """Compute the angular acceleration (T, hanging) that the motion of its pivot gives each pendulum."""
        maps = self.maps()[:, hanging]
        pivots = np.array([[*self.rig.bones[i].pivot, 1.0] for i in hanging])
        across = np.einsum("tbj,bj->tb", maps[:, :, 0], pivots)
        turn = np.unwrap(np.arctan2(maps[:, :, 1, 0], maps[:, :, 0, 0]), axis=0)
        # A bone that hangs down swings back, clockwise on the screen, when its pivot speeds up to the right.
        drive = across / _LEVER - 0.5 * turn
        return np.asarray(np.gradient(np.gradient(drive, axis=0), axis=0) * fps**2)

    def _linear(self) -> NDArray[np.float64]:
        """Compute (T, B, 3, 3): scale, then yaw about the vertical, then pitch about the horizontal axis."""
        cy, sy, cp, sp = np.cos(self.yaw), np.sin(self.yaw), np.cos(self.pitch), np.sin(self.pitch)
        turned = np.zeros((*self.angle.shape, 3, 3))
        turned[..., 0, 0], turned[..., 0, 2] = cy, sy
        turned[..., 1, 0], turned[..., 1, 1], turned[..., 1, 2] = sp * sy, cp, -sp * cy
        turned[..., 2, 0], turned[..., 2, 1], turned[..., 2, 2] = -cp * sy, sp, cp * cy
        turned[..., :2] *= self.scale[:, :, None, :]
        return turned


def reach(
    hip: NDArray[np.float64], foot: NDArray[np.float64], upper: float, lower: float, bend: Curve
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angles of a two-bone leg, hanging down in the rest pose, whose end is to stand at ``foot``.

    ``hip`` and ``foot`` are (T, 2); ``bend`` is the side, -1 to 1, to which the knee goes (1: towards +x).
    A foot that is too far is approached: the leg nearly straightens, smoothly. Returns both angles (T,)
    against the picture.
    """
    offset = foot - hip
    longest = 0.985 * (upper + lower)
    distance = np.hypot(offset[:, 0], offset[:, 1])
    softness = 0.03 * longest
    distance = longest - softness * np.logaddexp(0.0, (longest - distance) / softness)
    distance = np.maximum(distance, abs(upper - lower) + 0.05 * longest)
    heading = np.arctan2(-offset[:, 0], offset[:, 1])
    cosine = (upper**2 + distance**2 - lower**2) / (2.0 * upper * distance)
    inner = np.arccos(np.clip(cosine, -1.0, 1.0))
    opening = (upper**2 + lower**2 - distance**2) / (2.0 * upper * lower)
    knee = math.pi - np.arccos(np.clip(opening, -1.0, 1.0))
    thigh = heading - bend * inner
    return thigh, thigh + bend * knee
