"""``python -m animate.cli`` is the ``animate`` command."""

from animate.cli.main import main

raise SystemExit(main())
