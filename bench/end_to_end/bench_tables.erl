%%% Results as tables in Markdown.
-module(bench_tables).

-export([all/2, spread/3, median/4]).

%% @doc All tables, with where and how it was measured.
-spec all(About :: map(), [{Scenario :: atom(), [map()]}]) -> unicode:chardata().
all(About, Results) ->
    [
        about(About), "\n", checked(lists:append([Rows || {_, Rows} <- Results]))
        | [["\n", scenario(Scenario, Rows)] || {Scenario, [_ | _] = Rows} <- Results]
    ].

about(#{command := Command, cores := Cores, cpu := Cpu, memory_gb := Memory} = About) ->
    #{kernel := Kernel, ejabberd := Ejabberd, otp := Otp, rustc := Rustc, date := Date} = About,
    [
        "    ", Command, "\n\n",
        io_lib:format("~b cores of an ~ts, ~b GB, ~ts; ejabberd ~ts, Erlang/OTP ~ts, ~ts; ~ts.\n", [
            Cores, Cpu, round(Memory), Kernel, Ejabberd, Otp, Rustc, binary:part(Date, 0, 10)
        ])
    ].

%% How many deliveries there were, and how many of them were wrong.
checked(Rows) ->
    Deliveries = lists:sum([
        Repeats * (Posts + Burst) * Followers
     || #{repeats := Repeats, posts := Posts, burst_posts := Burst, followers := Followers} <- Rows
    ]),
    Faults = [Faults || #{faults := Faults} <- Rows],
    Count = fun(Fault) -> number(lists:sum([map_get(Fault, One) || One <- Faults])) end,
    [
        "Of ", number(Deliveries), " deliveries, ", Count(<<"missing">>), " were missing, ",
        Count(<<"twice">>), " came twice, ", Count(<<"disordered">>), " out of order.\n"
    ].

scenario(fanout, Rows) ->
    [
        "### A post to all followers\n\n", fanout(Rows), "\n", ratios(Rows),
        "\nThe time to the result, as a multiple of that with the fewest followers:\n\n",
        growth(Rows)
    ];
scenario(caches, Rows) ->
    ["### The same where everything fits in the caches\n\n`cache_size: 100000`.\n\n", fanout(Rows), "\n",
        ratios(Rows)];
scenario(acks, Rows) ->
    ["### Followers with stream management (XEP-0198)\n\n", fanout(Rows), "\n", ratios(Rows)];
scenario(offline, Rows) ->
    ["### Followers who are offline\n\n", offline(Rows)];
scenario(reading, Rows) ->
    ["### The newest 20 posts of all friends\n\n", reading(Rows)];
scenario(single, Rows) ->
    case Rows of
        [#{friends := _} | _] -> reading(Rows);
        _ -> fanout(Rows)
    end.

%%% Fan-out

fanout(Rows) ->
    table(
        [
            "followers", "peer", "server CPU per delivery, µs", "to the result, ms", "to the last, ms",
            "burst, deliveries/s", "memory, MB"
        ],
        [
            [
                number(Followers), Peer, spread(server_us, 1, Row),
                percentiles(result_us_p50, result_us_p99, Row),
                percentiles(last_us_p50, last_us_p99, Row),
                spread(burst_per_s, 0, Row),
                [megabytes(memory_empty, Row), " → ", megabytes(memory_after, Row)]
            ]
         || #{followers := Followers, peer := Peer} = Row <- Rows
        ]
    ).

%% The plugin's server CPU beside that of the others.
ratios(Rows) ->
    Others = [Kind || Kind <- [pep, plain, floor], lists:any(fun(Row) -> is(Kind, Row) end, Rows)],
    table(
        ["server CPU per delivery, followers", "variant"] ++
            ["÷ " ++ atom_to_list(Kind) || Kind <- Others],
        [
            [
                number(Followers), Peer
                | [ratio(Row, find(Kind, followers, Followers, Rows), server_us) || Kind <- Others]
            ]
         || #{kind := twitter, followers := Followers, peer := Peer} = Row <- Rows
        ]
    ).

growth(Rows) ->
    Sizes = lists:usort([Followers || #{followers := Followers} <- Rows]),
    Peers = unique([Peer || #{peer := Peer} <- Rows]),
    table(
        ["peer" | [[number(Size), " followers"] || Size <- Sizes]],
        [
            [Peer | [growth(Peer, Size, hd(Sizes), Rows) || Size <- Sizes]]
         || Peer <- Peers
        ]
    ).

growth(Peer, Size, Smallest, Rows) ->
    Of = fun(Wanted) ->
        [Row || #{peer := P, followers := F} = Row <- Rows, P =:= Peer, F =:= Wanted]
    end,
    case {Of(Size), Of(Smallest)} of
        {[Row | _], [First | _]} -> ratio(Row, First, result_us_p50);
        _ -> "–"
    end.

%% What each of those who are not there costs, for each post.
offline(Rows) ->
    table(
        ["peer", "online", "offline", "server CPU per post, ms", "per offline follower, µs"],
        [
            [
                Peer, number(Followers), number(Offline), spread(server_ms_per_post, 2, Row),
                offline_cost(Row, [R || #{offline := 0, peer := P} = R <- Rows, P =:= Peer])
            ]
         || #{peer := Peer, followers := Followers, offline := Offline} = Row <- Rows
        ]
    ).

offline_cost(#{offline := 0}, _) ->
    "";
offline_cost(#{offline := Offline, server_ms_per_post := With}, [#{server_ms_per_post := Without}]) ->
    Cost = fun(High, Low) ->
        decimal((map_get(High, With) - map_get(Low, Without)) * 1000 / Offline, 2)
    end,
    [Cost(median, median), " (", Cost(min, max), " to ", Cost(max, min), ")"].

%%% Reading

reading(Rows) ->
    table(
        [
            "friends", "peer", "requests", "all at once, ms", "one after the other, ms",
            "inside the server, ms", "server CPU, ms", "time ÷ twitter", "CPU ÷ twitter"
        ],
        [
            [
                number(Friends), Peer, number(Requests),
                percentiles(together_us_p50, together_us_p99, Row),
                percentiles(apart_us_p50, apart_us_p99, Row),
                percentiles(inside_us_p50, inside_us_p99, Row),
                spread(server_us_per_page, 0.001, 2, Row),
                ratio(Row, find(twitter, friends, Friends, Rows), together_us_p50),
                ratio(Row, find(twitter, friends, Friends, Rows), server_us_per_page)
            ]
         || #{friends := Friends, peer := Peer, requests := Requests} = Row <- Rows
        ]
    ).

%%% Cells

is(Kind, #{kind := Kind}) -> true;
is(_, _) -> false.

%% The first row of this kind and size: of the plugin, the one without options.
find(Kind, Key, Size, Rows) ->
    case [Row || Row <- Rows, is(Kind, Row), map_get(Key, Row) =:= Size] of
        [Row | _] -> Row;
        [] -> none
    end.

ratio(_, none, _) ->
    "–";
ratio(Row, Other, Key) ->
    #{Key := #{median := One}} = Row,
    #{Key := #{median := Two}} = Other,
    if
        Two > 0 -> decimal(One / Two, 2);
        true -> "–"
    end.

%% @doc The median, and the least and greatest.
-spec spread(Key :: atom(), Digits :: non_neg_integer(), Row :: map()) -> unicode:chardata().
spread(Key, Digits, Row) ->
    spread(Key, 1, Digits, Row).

spread(Key, Factor, Digits, Row) ->
    case Row of
        #{Key := #{min := Min, median := Median, max := Max}} ->
            [Least, Middle, Most] = [decimal(N * Factor, Digits) || N <- [Min, Median, Max]],
            [Middle, " (", Least, "–", Most, ")"];
        #{} ->
            "–"
    end.

%% @doc The median alone.
-spec median(Key :: atom(), Factor :: number(), Digits :: non_neg_integer(), Row :: map()) ->
    unicode:chardata().
median(Key, Factor, Digits, Row) ->
    case Row of
        #{Key := #{median := Median}} -> decimal(Median * Factor, Digits);
        #{} -> "–"
    end.

%% Half, and all but one in a hundred; the former with its spread.
percentiles(Half, Most, Row) ->
    [spread(Half, 0.001, 2, Row), "; p99 ", median(Most, 0.001, 1, Row)].

megabytes(Key, Row) ->
    #{Key := #{rss_mb := Megabytes}} = Row,
    decimal(Megabytes, 0).

decimal(Number, 0) -> number(round(Number));
decimal(Number, Digits) -> float_to_list(float(Number), [{decimals, Digits}]).

%% With commas.
number(Number) when Number < 0 -> ["-", number(-Number)];
number(Number) when Number < 1000 -> integer_to_list(Number);
number(Number) -> [number(Number div 1000), io_lib:format(",~3..0b", [Number rem 1000])].

unique([]) -> [];
unique([First | Rest]) -> [First | unique([Other || Other <- Rest, Other =/= First])].

table(Heads, Rows) ->
    Line = fun(Cells) -> ["|", [[" ", Cell, " |"] || Cell <- Cells], "\n"] end,
    [Line(Heads), "|", [" --- |" || _ <- Heads], "\n" | lists:map(Line, Rows)].
