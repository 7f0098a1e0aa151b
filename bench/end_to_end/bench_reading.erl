%%% The newest posts of all friends: one request to FriendsStream, or one to each friend's node.
-module(bench_reading).

-export([run/1]).
-export_type([setup/0, result/0]).

-type setup() :: #{
    dir := file:filename_all(),
    peers := [bench_peers:peer()],
    %% A reader for each of these numbers.
    friends := [pos_integer()],
    %% A series takes the server so long.
    cpu_us := pos_integer(),
    %% How long nothing is done before each round.
    idle_ms := pos_integer(),
    repeats := pos_integer()
}.
%% Of one peer and one reader: what JSON can express.
-type result() :: map().

-define(POSTS, 50).
-define(PAGE, 20).
-define(MAX_TIMES, 2000).
-define(TIMEOUT, 60_000).

%% @doc Measures all peers, in turn, for each reader.
-spec run(setup()) -> [result()].
run(#{dir := Dir, peers := Peers, friends := Numbers, repeats := Repeats, idle_ms := IdleMs} = Setup) ->
    Common = #{
        dir => Dir,
        options => #{loglevel => warning, cache_size => 100_000},
        listener => #{backlog => 1024}
    },
    bench_stand:all(Peers, Common, fun(Stands) ->
        lists:foreach(fun(Stand) -> prepare(Stand, Numbers) end, Stands),
        lists:append([
            begin
                Times = [times(Stand, Reader, Friends, Setup) || Stand <- Stands],
                Rounds = [
                    round(Number, Stands, Times, Reader, Friends, IdleMs)
                 || Number <- lists:seq(1, Repeats)
                ],
                [
                    result(Stand, Friends, [lists:nth(Index, Round) || Round <- Rounds])
                 || {Index, Stand} <- lists:enumerate(Stands)
                ]
            end
         || {Reader, Friends} <- readers(Numbers)
        ])
    end).

readers(Numbers) ->
    [
        {bench_inside:name(<<"reader">>, Index - 1), Friends}
     || {Index, Friends} <- lists:enumerate(Numbers)
    ].

friends(Count) ->
    [bench_inside:name(<<"friend">>, Number) || Number <- lists:seq(0, Count - 1)].

prepare(Stand, Numbers) ->
    Server = bench_stand:server(Stand),
    Inside = fun(Function, Args) ->
        ok = twitter_server:call(Server, bench_inside, Function, Args, infinity)
    end,
    All = lists:max(Numbers),
    Inside(accounts, [<<"friend">>, All]),
    Inside(accounts, [<<"reader">>, length(Numbers)]),
    [Inside(friends, [Reader, friends(Friends)]) || {Reader, Friends} <- readers(Numbers)],
    Inside(publish_all, [bench_stand:kind(Stand), friends(All), ?POSTS]),
    _ = bench_load:connect(bench_stand:load(Stand), twitter_server:port(Server), #{
        prefix => <<"reader">>, first => 0, count => length(Numbers), role => speaker
    }),
    bench_load:settle(bench_stand:load(Stand)).

%% What stands in the place of the friend's name in each request.
values(Stand, Friends) ->
    case bench_stand:kind(Stand) of
        twitter -> [<<"all">>];
        _ -> friends(Friends)
    end.

%% Reads the page so many times, with so many requests on their way.
read(Stand, Reader, Friends, InFlight, Times) ->
    Values = values(Stand, Friends),
    Items = ?PAGE * length(Values),
    #{<<"items">> := Items} = Answer = bench_load:call(bench_stand:load(Stand), #{
        op => read,
        user => Reader,
        iq => bench_peers:read(bench_stand:kind(Stand), <<"{value}">>),
        values => Values,
        in_flight => InFlight,
        times => Times,
        timeout_ms => ?TIMEOUT
    }),
    Answer.

%% How many times make a series.
times(Stand, Reader, Friends, Setup) ->
    %% The first one fills caches.
    _ = read(Stand, Reader, Friends, Friends, 1),
    times(Stand, Reader, Friends, Setup, 2).

times(Stand, Reader, Friends, #{cpu_us := Wanted} = Setup, Tried) ->
    Cpu = bench_stand:cpu_us(Stand),
    _ = read(Stand, Reader, Friends, Friends, Tried),
    Used = bench_stand:cpu_us(Stand) - Cpu,
    if
        Used * 5 < Wanted, Tried < ?MAX_TIMES ->
            times(Stand, Reader, Friends, Setup, min(?MAX_TIMES, Tried * 3));
        true ->
            min(?MAX_TIMES, max(5, ceil(Tried * Wanted / Used)))
    end.

%% One series of each peer; every other round begins with the last one.
round(Number, Stands, Times, Reader, Friends, Milliseconds) ->
    Idle = bench_stand:idle(Stands, Milliseconds),
    Turns = lists:zip3(Stands, Times, Idle),
    One = fun({Stand, Count, IdleUs}) -> series(Stand, Reader, Friends, Count, IdleUs) end,
    case Number rem 2 of
        1 -> lists:map(One, Turns);
        0 -> lists:reverse(lists:map(One, lists:reverse(Turns)))
    end.

%% One request alone, all of a page one after the other, all at once; and inside the server.
series(Stand, Reader, Friends, Times, Idle) ->
    Load = bench_stand:load(Stand),
    Kind = bench_stand:kind(Stand),
    Cpu = bench_stand:cpu_us(Stand),
    {Us, Together} = timer:tc(fun() -> read(Stand, Reader, Friends, Friends, Times) end),
    Used = bench_stand:cpu_us(Stand) - Cpu - Idle * Us / 1.0e6,
    Few = max(3, Times div 4),
    Apart = read(Stand, Reader, Friends, 1, Few),
    Texts = [bench_peers:read(Kind, Value) || Value <- values(Stand, Friends)],
    One = bench_load:call(Load, #{
        op => request, user => Reader, iq => hd(Texts), times => 50, timeout_ms => ?TIMEOUT
    }),
    Inside = [
        twitter_server:call(bench_stand:server(Stand), bench_inside, ask_all, [Reader, Texts], infinity)
     || _ <- lists:seq(1, Few)
    ],
    Percentiles = [
        bench_stats:percentiles(Name, Values)
     || {Name, Values} <- [
            {<<"together_us">>, map_get(<<"us">>, Together)},
            {<<"apart_us">>, map_get(<<"us">>, Apart)},
            {<<"one_us">>, map_get(<<"us">>, One)},
            {<<"inside_us">>, Inside}
        ]
    ],
    (lists:foldl(fun maps:merge/2, #{}, Percentiles))#{
        times => Times,
        requests => length(Texts),
        bytes => map_get(<<"bytes">>, Together),
        server_us_per_page => Used / Times,
        client_us_per_page => map_get(<<"cpu_us">>, Together) / Times
    }.

result(Stand, Friends, Series) ->
    Spreads = bench_stats:spreads(
        [
            server_us_per_page, client_us_per_page, together_us_p50, together_us_p99, apart_us_p50,
            apart_us_p99, one_us_p50, one_us_p99, inside_us_p50, inside_us_p99
        ],
        Series
    ),
    Spreads#{
        peer => list_to_binary(bench_stand:name(Stand)),
        kind => bench_stand:kind(Stand),
        friends => Friends,
        posts => ?POSTS,
        times => map_get(times, hd(Series)),
        repeats => length(Series),
        series => Series,
        requests => map_get(requests, hd(Series)),
        bytes => map_get(bytes, hd(Series))
    }.
