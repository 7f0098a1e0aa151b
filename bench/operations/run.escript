#!/usr/bin/env escript
%%! +sbtu
%%% run.escript [USERS [CONTACTS [POSTS]]]: how long a server takes to start that has so many users (100,000), each with so
%%% many contacts (10) and posts (10), how much memory it needs, and what its readers wait for meanwhile; how long a
%%% backup takes. Everything is in Mnesia, on ejabberd's default storage.
%%%
%%% `make bench-operations' builds what it needs and starts it.

-mode(compile).

-define(LIBS, "_build/ejabberd_libs").
-define(PLUGIN, "_build/default/lib/ejabberd_twitter/ebin").
-define(FRIENDS, <<"/twitter/FriendsStream">>).
%% So many people read one page each.
-define(READERS, 50).
-define(PATIENCE, 3_600_000).

main(Args) ->
    Root = filename:dirname(filename:dirname(filename:dirname(filename:absname(escript:script_name())))),
    ok = file:set_cwd(Root),
    true = os:putenv("ERL_LIBS", filename:absname(?LIBS)),
    ok = code:add_pathsz(filelib:wildcard(filename:absname(?LIBS) ++ "/*/ebin")),
    _ = code:add_patha(filename:absname(?PLUGIN)),
    Dir = filename:absname(filename:join(["_build", "bench", os:getpid()])),
    ok = filelib:ensure_dir(filename:join(Dir, "x")),
    true = code:add_patha(Dir),
    [
        {ok, _} = compile:file(Source, [report, {outdir, Dir}])
     || Source <- filelib:wildcard("test/harness/*.erl") ++
            ["bench/operations/town.erl", "bench/end_to_end/bench_usage.erl"]
    ],
    Sizes = [Users | _] = sizes([list_to_integer(Arg) || Arg <- Args], [100_000, 10, 10]),
    {ok, Server} = twitter_server:start(#{dir => Dir, twitter => #{warm_up => false}}),
    try
        io:format("~b users, ~b contacts and ~b posts of each.~n~n| what | s | resident, MB | Erlang, MB | page, ms |~n"
                  "| --- | ---: | ---: | ---: | ---: |~n", Sizes),
        ok = build(Server, Sizes),
        Readers = [N * (Users div ?READERS) || N <- lists:seq(1, ?READERS)],
        ok = started("stock ejabberd", Server, #{plugin => false, twitter => absent}),
        ok = started("with the plugin, `warm_up: false`", Server, #{plugin => true, twitter => #{warm_up => false}}),
        ok = row("- the first pages of " ++ integer_to_list(?READERS) ++ " readers", none, Server, pages(Server, Readers)),
        ok = row("- the same once more", none, Server, pages(Server, Readers)),
        ok = started("with the plugin, `warm_up: true`", Server, #{twitter => #{warm_up => true}}),
        Began = now_ms(),
        ok = row("- the first pages, while it warms up", none, Server, pages(Server, Readers)),
        ok = twitter_server:call(Server, twitter_warm_up, sync, [<<"localhost">>], ?PATIENCE),
        ok = row("- warm", (now_ms() - Began) / 1000, Server, none),
        ok = row("- first pages of others", none, Server, pages(Server, [N - 7 || N <- Readers])),
        {StreamBytes, PayloadBytes, Authors, Posted, Payloads} =
            twitter_server:call(Server, twitter_index, memory, [<<"pubsub.localhost">>]),
        ok = saved(Server, Dir),
        io:format("~nIn the index: ~b streams with ~b posts in ~.1f MB, ~b payloads in ~.1f MB.~n",
                  [Authors, Posted, StreamBytes / 1.0e6, Payloads, PayloadBytes / 1.0e6])
    after
        twitter_server:stop(Server)
    end,
    ok = file:del_dir_r(Dir).

sizes([], Defaults) -> Defaults;
sizes([Size | Sizes], [_ | Defaults]) -> [Size | sizes(Sizes, Defaults)].

now_ms() ->
    erlang:monotonic_time(millisecond).

build(Server, Sizes) ->
    {town, Binary, File} = code:get_object_code(town),
    {module, town} = twitter_server:call(Server, code, load_binary, [town, File, Binary]),
    ok = twitter_server:call(Server, town, build, Sizes, ?PATIENCE).

%% From the start of the process until clients are accepted.
started(What, Server, Options) ->
    ok = twitter_server:halt(Server),
    Began = now_ms(),
    ok = twitter_server:restart(Server, Options),
    row(What, (now_ms() - Began) / 1000, Server, none).

%% The median of one page for each.
pages(Server, Readers) ->
    Times = lists:sort([page(Server, town:name(N)) || N <- Readers]),
    lists:nth(length(Times) div 2 + 1, Times) / 1000.

page(Server, Name) ->
    Client = twitter_users:login(Server, {Name, <<"localhost">>}),
    Began = erlang:monotonic_time(microsecond),
    [_ | _] = twitter_reading:ids(Client, ?FRIENDS, #{rsm => #{max => 20, before => <<>>}}),
    Took = erlang:monotonic_time(microsecond) - Began,
    ok = twitter_client:close(Client),
    Took.

saved(Server, Dir) ->
    File = filename:join(Dir, "backup"),
    Began = now_ms(),
    {ok, _} = twitter_server:call(Server, ejabberd_admin, backup_mnesia, [File], ?PATIENCE),
    Took = (now_ms() - Began) / 1000,
    row(io_lib:format("`ejabberdctl backup`: ~b MB", [filelib:file_size(File) div 1_000_000]), Took, Server, none).

row(What, Seconds, Server, Page) ->
    #{rss_mb := Rss, erlang_mb := Erlang} = bench_usage:memory(Server),
    io:format("| ~ts | ~s | ~b | ~b | ~s |~n", [What, number(Seconds), round(Rss), round(Erlang), number(Page)]).

number(none) -> "";
number(Number) -> io_lib:format("~.2f", [float(Number)]).
