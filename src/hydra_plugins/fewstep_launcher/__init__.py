"""The launcher that every sweep of fewstep runs its own launcher in."""
