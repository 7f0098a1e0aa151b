#!/usr/bin/env escript
%%! +sbtu
%%% run.escript [FOLLOWERS...]: what a post costs that goes to so many followers (1000 and 10000, if nothing is
%%% said) on one other server, which has the plugin, or is an ordinary ejabberd, with and without a multicast
%%% service (XEP-0033). Between them is the cable of the tests, which counts stanzas and bytes. All but one of
%%% the followers are offline: what their own server does for those who are online is in bench/end_to_end.
%%%
%%% `make bench-federation' builds what it needs and starts it.

-mode(compile).


-define(LIBS, "_build/ejabberd_libs").
-define(PLUGIN, "_build/default/lib/ejabberd_twitter/ebin").
-define(POSTS, 10).
-define(PATIENCE, 300_000).

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
     || Source <- filelib:wildcard("test/harness/*.erl") ++ ["bench/federation/crowd.erl"]
    ],
    Sizes = case Args of [] -> [1000, 10_000]; _ -> [list_to_integer(Arg) || Arg <- Args] end,
    Config = twitter_federation:start([{priv_dir, Dir}], #{
        a => #{twitter => #{catch_up => 0}},
        relay => #{twitter => #{catch_up => 0}},
        multicast => #{plugin => false, nodetree => none, modules => #{mod_multicast => #{limits => #{remote => #{message => 20}}}}},
        singles => #{plugin => false, nodetree => none}
    }),
    try
        io:format("A post to followers on one other server, of whom one is online; mean of ~b posts after a first one.~n~n"
                  "| to | followers | stanzas | bytes | CPU of the author's server, ms | CPU of the other one, ms | until the last has it, ms |~n"
                  "| --- | ---: | ---: | ---: | ---: | ---: | ---: |~n", [?POSTS]),
        [measure(Config, To, Size) || Size <- Sizes, To <- [relay, multicast, singles]]
    after
        twitter_federation:stop(Config)
    end,
    ok = file:del_dir_r(Dir).

measure(Config, To, Size) ->
    Author = twitter_federation:user(Config, a, <<"author">>),
    Users = followers(Config, To, Size, Author),
    %% Whoever comes last.
    Witness = twitter_federation:login(Config, lists:last(Users)),
    Client = twitter_federation:login(Config, Author),
    %% With it goes what is said once: what the other server can do, and who the readers are.
    _ = one(Config, To, Client, Witness),
    Runs = [one(Config, To, Client, Witness) || _ <- lists:seq(1, ?POSTS)],
    Mean = [lists:sum(Column) / ?POSTS || Column <- columns(Runs)],
    row(name(To), Size, Mean).

name(relay) -> "a server with the plugin";
name(multicast) -> "an ordinary one with XEP-0033";
name(singles) -> "an ordinary one".

row(Name, Size, [Stanzas, Bytes, Here, There, Ms]) ->
    io:format("| ~s | ~b | ~.1f | ~b | ~.1f | ~.1f | ~.1f |~n",
              [Name, Size, float(Stanzas), round(Bytes), float(Here), float(There), float(Ms)]).

columns([[] | _]) -> [];
columns(Rows) -> [lists:map(fun hd/1, Rows) | columns(lists:map(fun tl/1, Rows))].

followers(Config, To, Size, Author) ->
    Server = twitter_federation:server(Config, To),
    Here = twitter_federation:server(Config, a),
    [{module, crowd} = load(One) || One <- [Server, Here]],
    Prefix = iolist_to_binary(["f", integer_to_list(Size), "-"]),
    Users = twitter_server:call(Server, crowd, accounts, [twitter_federation:domain(To), Prefix, Size]),
    ok = twitter_server:call(Server, crowd, follow, [Users, Author]),
    ok = twitter_server:call(Here, crowd, followed, [Author, Users]),
    Users.

load(Server) ->
    {crowd, Binary, File} = code:get_object_code(crowd),
    twitter_server:call(Server, code, load_binary, [crowd, File, Binary]).

%% Stanzas and bytes in both directions, CPU of both, time until the last reader has it; and all has ended by then.
one(Config, To, Client, Witness) ->
    ok = twitter_federation:settle(Config, a, Witness),
    Cables = [twitter_federation:cable(Config, a, To), twitter_federation:cable(Config, To, a)],
    _ = [{twitter_cable:carried(Cable), twitter_cable:bytes(Cable)} || Cable <- Cables],
    Servers = [twitter_federation:server(Config, Name) || Name <- [a, To]],
    Before = [cpu(Server) || Server <- Servers],
    Began = erlang:monotonic_time(microsecond),
    Id = twitter_requests:publish(Client, <<"A post of usual length, of some eighty characters or so, as people write them">>),
    _ = twitter_federation:await(Witness, Id, ?PATIENCE),
    Ended = erlang:monotonic_time(microsecond),
    Used = [cpu(Server) - Was || {Server, Was} <- lists:zip(Servers, Before)],
    Carried = lists:append([twitter_cable:carried(Cable) || Cable <- Cables]),
    Bytes = lists:sum([twitter_cable:bytes(Cable) || Cable <- Cables]),
    [length(Carried), Bytes] ++ Used ++ [(Ended - Began) / 1000].

%% Milliseconds.
cpu(Server) ->
    {Ms, _} = twitter_server:call(Server, erlang, statistics, [runtime]),
    Ms.
