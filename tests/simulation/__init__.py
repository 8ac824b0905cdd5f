"""One deterministic simulation of everything: clusters, both functions, node watcher, sweep, people, other tools, faults and crashes.

A seed makes a story. The real code runs over the fakes, in virtual time and without threads, and invariants hold after every step.
"""
