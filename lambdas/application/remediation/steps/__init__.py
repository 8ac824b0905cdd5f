"""The bodies of the workflow's steps: each looks or acts once, and says in plain JSON what came of it. None raises for what may pass."""
