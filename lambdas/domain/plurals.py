"""Numbers in sentences, with the noun and the verb that agree with them."""


def pluralize(count: int, one: str, more: str = "") -> str:
    """`1 pod`, `2 pods`. `more` is the plural where it is not formed by `s`, or where a verb follows."""
    return f"{count} {one if count == 1 else more or one + 's'}"


def pluralize_share(part: int, whole: int, noun: str, one: str, more: str) -> str:
    """`1 of 15 nodes is`, `2 of 15 nodes are`, `1 of 1 node is`: the noun agrees with the whole, the verb with the part."""
    return f"{part} of {pluralize(whole, noun)} {one if part == 1 else more}"
