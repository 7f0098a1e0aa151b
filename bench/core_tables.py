"""What was measured of the core as tables in Markdown: what, ours, the obvious way, and how many times
as much the obvious way takes."""

HEADS = ["what", "ours", "the obvious way", "ratio"]
WORDS = {
    "path/parse/my_stream": "node id: one's own stream",
    "path/parse/friend": "node id: a friend's stream",
    "path/parse/post": "node id: a friend's post",
    "path/parse/foreign": "node id: none of ours",
    "payload/text/text_290": "text of 290 bytes of text",
    "payload/text/atom_370": "text of an Atom entry of 370 bytes",
    "payload/title/text_290": "title of 290 bytes of text",
    "payload/title/atom_370": "title of an Atom entry of 370 bytes",
}
POSITIONS = {
    "head": "newest page",
    "middle_cursor": "cursor in the middle",
    "middle_index": "index in the middle",
}


def core(about, found):
    return "\n".join([
        machine(about),
        "### A page of 20 posts\n",
        table(pages(found)),
        "### Recipients of a post\n",
        table(recipients(found)),
        "### What is done once for each request\n",
        table([[WORDS[name], time(found[name]), "–", "–"] for name in WORDS if name in found]),
    ])


def machine(about):
    return (
        f"    {about['command']}\n\n"
        f"{about['cores']} cores of an {about['cpu']}, {about['memory_gb']:.0f} GB, {about['kernel']}, "
        f"load {about['load']:.1f}; {about['rustc']}, criterion {about['criterion']}, "
        f"Erlang/OTP {about['otp']}; {about['date'][:10]}.\n"
    )


def pages(found):
    rows = []
    for name in in_order(found, "page_20/", "service"):
        _, size, position, _ = name.split("/")
        friends, posts = (int(part) for part in size.split("x"))
        obvious = found[sibling(name, "collect_and_sort")]
        what = f"{friends:,} friends × {posts:,} posts, {POSITIONS[position]}"
        rows.append(compared(what, found[name], obvious))
        rows.append(compared("– the merge alone", found[sibling(name, "timeline")], obvious))
    return rows


def recipients(found):
    rows = []
    for name in in_order(found, "recipients/", "remembered"):
        _, followers, online, _ = name.split("/")
        obvious = found[sibling(name, "map_of_strings")]
        rows.append(compared(f"{int(followers):,} followers, {online} % online", found[name], obvious))
        rows.append(compared("– from lines of a roster", found[sibling(name, "asked")], obvious))
    for name in in_order(found, "roster_replace/", "remembered"):
        what = f"a roster of {int(name.split('/')[1]):,} lines anew"
        rows.append(compared(what, found[name], found[sibling(name, "map_of_strings")]))
    return rows


def in_order(found, group, how):
    numbers = lambda name: [int(n) for n in name.replace("x", "/").split("/") if n.isdigit()]
    names = [name for name in found if name.startswith(group) and name.endswith("/" + how)]
    return sorted(names, key=lambda name: (numbers(name), name))


def sibling(name, how):
    return name.rsplit("/", 1)[0] + "/" + how


def compared(what, ours, obvious):
    return [what, time(ours), time(obvious), ratio(ours["median_ns"], obvious["median_ns"])]


def simulation(result, memory):
    rosters, posts, users = result["rosters"], result["posts_index"], result["users"]
    latency = lambda key: "p50 {p50:,.0f} µs, p99 {p99:,.0f} µs, longest {max:,.0f} µs".format(**result[key])
    streams = memory["streams"]
    edge = memory["edge"]
    size = f"{posts['bytes_per_post']:.1f} bytes"
    rows = [
        ["a post in the index, with its author", size, f"{streams['obvious']:.0f} bytes",
         ratio(posts["bytes_per_post"], streams["obvious"])],
        ["– what the tests allow, without its author", "40 bytes", "–", "–"],
        ["an edge: a reader of an author, with both names", f"{rosters['bytes_per_edge']:.1f} bytes",
         f"{edge['obvious']:.0f} bytes", ratio(rosters["bytes_per_edge"], edge["obvious"])],
        ["all streams", megabytes(posts["bytes"]), "–", "–"],
        ["all remembered rosters", megabytes(rosters["bytes"]), "–", "–"],
        ["who is online", megabytes(result["online_bytes"]), "–", "–"],
        ["a post: into the index, and to whom", latency("publish_us"), "–", "–"],
        ["a page of 20 posts: rights, and the merge", latency("read_20_us"), "–", "–"],
    ]
    head = (
        f"{users:,} users, {result['edges']:,.0f} edges, {result['posts']:,.0f} posts; the most popular has "
        f"{result['most_readers']:,} readers, a post goes to {result['sent_per_post']:,.0f} on average. It took "
        f"{rosters['load_s']:.1f} s to load the rosters, {posts['load_s']:.1f} s to load the posts.\n"
    )
    return head + "\n" + table(rows)


def crossing(result):
    memory = result["memory"]
    rows = [
        [row["what"], micros(row["ours"]), micros(row["obvious"]),
         ratio(row["ours"]["median"], row["obvious"]["median"])]
        for row in result["pairs"]
    ]
    for key, what in [("streams", "memory of a post without payload"), ("all", "memory of a post with payload")]:
        one = memory[key]
        rows.append([what, f"{one['ours']:.0f} bytes", f"{one['obvious']:.0f} bytes",
                     ratio(one["ours"], one["obvious"])])
    longest = lambda rows: table(
        [[f"`{row['name']}`", row["what"], f"{row['calls']:,}", most(row), micros(row["longest"])]
         for row in rows],
        ["function", "what it sees", "calls", "99.9 %", "the longest"],
    )
    return "\n".join([
        table(rows),
        "### The longest calls on a normal scheduler\n",
        longest(result["normal"]),
        "### The longest calls on a dirty scheduler\n",
        longest(result["dirty"]),
    ])


def most(row):
    """Of less than a thousand calls it would be the longest."""
    return micros(row["most"]) if row["calls"] >= 1000 else "–"


def time(estimate):
    low, middle, high = (estimate[key] for key in ("low_ns", "median_ns", "high_ns"))
    return spread(low, middle, high)


def micros(spread_of):
    return spread(*(spread_of[key] * 1000 for key in ("min", "median", "max")))


def spread(low, middle, high):
    """Three digits, in the unit that fits the middle."""
    for unit, factor in [("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1)]:
        if middle >= factor or factor == 1:
            digits = lambda ns: f"{ns / factor:,.{0 if middle / factor >= 100 else 1 if middle / factor >= 10 else 2}f}"
            return f"{digits(middle)} {unit} ({digits(low)}–{digits(high)})"


def ratio(ours, obvious):
    times = obvious / ours
    return f"{times:,.0f}" if times >= 10 else f"{times:.2g}"


def megabytes(count):
    return f"{count / 1e6:,.0f} MB"


def table(rows, heads=None):
    heads = heads or HEADS
    line = lambda cells: "| " + " | ".join(cells) + " |\n"
    aligned = "| " + " | ".join(["---"] + ["---:"] * (len(heads) - 1)) + " |\n"
    return line(heads) + aligned + "".join(line(row) for row in rows)
