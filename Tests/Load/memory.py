"""Tells a leak, which every round leaves, from what an allocator keeps and uses again."""

ROUNDS_MAX = 5
LEFT_KIBIBYTES_MAX = 0.5  # for each of what a round brings: less than the least that could leak
NOISE_KIBIBYTES = 512  # in all, whoever they are: pages that fill up, tables that grow


def leaves_nothing(server, count, work):
    """Repeats a round of work for `count` clients until one leaves no more than those before it.

    Gives what each round left in the server, in KiB; fails where all of them left more.
    """
    left = [server.resident_kibibytes()]
    while len(left) <= ROUNDS_MAX:
        work(len(left) - 1)
        left.append(server.resident_kibibytes())
        if len(left) > 2 and left[-1] - left[-2] < max(
                NOISE_KIBIBYTES, count * LEFT_KIBIBYTES_MAX):
            return [after - before for before, after in zip(left, left[1:])]
    raise AssertionError(f"every round leaves more behind: {left} KiB")
