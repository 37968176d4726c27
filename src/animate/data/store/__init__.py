"""A prepared store: frames at training size in a few large files, for training at speed.

A store is a folder, here or in an object store:

- ``store.json``: the :class:`~animate.data.store.layout.Header`. It is written last: with it the store is
  whole;
- ``part-00000.tar`` and so on: plain tar files. A clip is the members ``NUMBER/000000.jpg`` and so on, then
  its sidecars, then ``NUMBER/frames.table``, the :data:`~animate.data.store.layout.TABLE` of its frames;
- ``part-00000.jsonl``: one line about the part, and one about each of its clips;
- ``plan.json``: which clips go into which part, for runs that go on.

A frame is read by its place in the table, which is read by its place in the index: nothing else of a large
file is ever read. Everything is data: JSON, NumPy arrays without objects, JPEG or WebP pictures.
"""
