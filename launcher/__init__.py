"""The launcher behind ``./semanticst``: standard library only, since nothing is installed yet when it starts."""
