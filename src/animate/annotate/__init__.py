"""What is to be seen in frames: faces, landmarks, poses, mattes; found by back-ends, kept in sidecars."""
