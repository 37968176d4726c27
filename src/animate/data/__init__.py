"""From files on disk to batches: index -> clip -> view -> transform -> batch.

Import from the modules: ``data.index`` and ``data.manifest`` (what clips exist), ``data.clips`` (decode),
``data.views`` (what a model asks of a clip), ``data.sampler``, ``data.transforms``, ``data.synthetic`` (drawn
clips) and ``data.module`` (the LightningDataModule over all of them). This file stays light: the command line
imports it before it knows whether torch is needed.
"""
