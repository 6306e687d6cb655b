"""An impolite org: responses as the real world sends them on its odd days."""
