"""From a diagnosis to actions and blocked actions. Pure."""
