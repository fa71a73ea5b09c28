"""python -m toolkit COMMAND."""

from .cli import main

raise SystemExit(main())
