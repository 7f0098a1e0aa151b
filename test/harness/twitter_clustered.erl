%%% Private servers that are the nodes of one cluster, joined by ejabberd's own means. Their nodes are distributed, and
%%% are controlled all the same by their standard input and output, so a split of the network cuts off no test.
-module(twitter_clustered).

-export([start/2, start/3, stop/1, add/3, server/2, node/2, names/1, leave/2]).
-export([await_members/1, await_members/2, await_connected/1, await_account/2, await_contact/4]).
-export([split/2, heal/1, owner/3]).
-export_type([name/0]).

-type config() :: [{atom(), term()}].
-type name() :: atom().

-define(JOIN_MS, 120_000).
-define(AWAIT_MS, 30_000).
-define(LOOK_MS, 20).

%% @doc For init_per_suite: a cluster of nodes with these names.
-spec start(config(), [name()]) -> config().
start(Config, Names) ->
    start(Config, Names, #{}).

-spec start(config(), [name()], map()) -> config().
start(Config, Names, Options) ->
    Cookie = list_to_atom("twitter" ++ integer_to_list(rand:uniform(1 bsl 60))),
    Empty = #{cookie => Cookie, options => Options, servers => #{}},
    lists:foldl(fun(Name, Before) -> add(Before, Name, #{}) end, [{cluster, Empty} | Config], Names).

%% @doc One more node joins; returns when all know each other.
-spec add(config(), name(), map()) -> config().
add(Config, Name, More) ->
    #{cookie := Cookie, options := Options, servers := Servers} = Nodes = cluster(Config),
    Node = list_to_atom(lists:concat(["n", twitter_server:free_port(), "@127.0.0.1"])),
    %% README.md tells admins to set that.
    Modules = lists:foldl(fun(Some, Others) -> maps:merge(Others, maps:get(modules, Some, #{})) end,
                          #{mod_roster => #{use_cache => false}}, [Options, More]),
    First = [{Former, Server} || {Former, Server} <- lists:sublist(maps:values(Servers), 1)],
    Shared = maps:from_list([{shares, Server} || {_, Server} <- First]),
    Own = maps:merge(Options, maps:merge(Shared, More)),
    {ok, Server} = twitter_server:start(Own#{dir => proplists:get_value(priv_dir, Config), name => atom_to_list(Name),
                                            modules => Modules, distribution => {Node, Cookie}}),
    Added = lists:keystore(cluster, 1, Config, {cluster, Nodes#{servers := Servers#{Name => {Node, Server}}}}),
    _ = [ok = join(Server, Former) || {Former, _} <- First],
    ok = await_members(Added),
    Added.

%% Newer ones begin with it, and say so.
join(Server, Former) ->
    case twitter_server:call(Server, ejabberd_cluster, join, [Former], ?JOIN_MS) of
        ok -> ok;
        {ok, _} -> ok
    end.

-spec stop(config()) -> ok.
stop(Config) ->
    %% Those that were killed have no process any more.
    lists:foreach(fun({_, Server}) -> is_process_alive(Server) andalso twitter_server:stop(Server) end,
                  %% The first one has made the database.
                  lists:reverse(maps:values(servers(Config)))).

%% @doc A node leaves the cluster, in good order.
-spec leave(config(), name()) -> ok.
leave(Config, Name) ->
    %% It stops soon after its answer, or newer ones before that.
    try
        ok = twitter_server:call(server(Config, Name), ejabberd_cluster, leave, [node(Config, Name)], ?JOIN_MS)
    catch
        exit:{normal, {gen_server, call, _}} -> ok
    end.

cluster(Config) ->
    proplists:get_value(cluster, Config).

servers(Config) ->
    maps:get(servers, cluster(Config)).

%% The vhost that is looked at.
host(Config) ->
    #{options := Options} = cluster(Config),
    hd(maps:get(hosts, Options, [<<"localhost">>])).

-spec names(config()) -> [name()].
names(Config) ->
    maps:keys(servers(Config)).

-spec server(config(), name()) -> twitter_server:server().
server(Config, Name) ->
    #{Name := {_, Server}} = servers(Config),
    Server.

-spec node(config(), name()) -> node().
node(Config, Name) ->
    #{Name := {Node, _}} = servers(Config),
    Node.

%% @doc Returns when all nodes know each other.
-spec await_members(config()) -> ok.
await_members(Config) ->
    await_members(Config, names(Config)).

%% @doc Returns when each of these nodes knows these and no others, is served, and shares their storage.
-spec await_members(config(), [name()]) -> ok.
await_members(Config, Names) ->
    Nodes = lists:sort([node(Config, Name) || Name <- Names]),
    Deadline = erlang:monotonic_time(millisecond) + ?AWAIT_MS,
    lists:foreach(fun(Name) -> await(server(Config, Name), host(Config), Nodes, Deadline) end, Names).

await(Server, Host, Nodes, Deadline) ->
    Found = try known(Server, Host) catch _:Reason -> {error, Reason} end,
    case Found of
        {Nodes, Nodes, true} ->
            ok;
        _ ->
            erlang:monotonic_time(millisecond) < Deadline orelse error({not_joined, Nodes, Found}),
            receive after ?LOOK_MS -> await(Server, Host, Nodes, Deadline) end
    end.

%% @doc Returns when the plugin knows of all nodes on each, and has forgotten what it knew before, though their Mnesia may
%% still be split.
-spec await_connected(config()) -> ok.
await_connected(Config) ->
    Nodes = lists:sort([node(Config, Name) || Name <- names(Config)]),
    Deadline = erlang:monotonic_time(millisecond) + ?AWAIT_MS,
    lists:foreach(fun(Name) -> await_known(server(Config, Name), host(Config), Nodes, Deadline) end, names(Config)),
    %% What each has told the others lies before this in their queues; each answers that by forgetting once more.
    [
        begin
            Process = twitter_server:call(server(Config, Name), twitter_cluster, name, [host(Config)]),
            twitter_server:call(server(Config, Name), sys, get_state, [Process])
        end
     || _ <- [told, answered], Name <- names(Config)
    ],
    ok.

await_known(Server, Host, Nodes, Deadline) ->
    case known(Server, Host) of
        {Nodes, _, _} ->
            ok;
        Found ->
            erlang:monotonic_time(millisecond) < Deadline orelse error({not_connected, Nodes, Found}),
            receive after ?LOOK_MS -> await_known(Server, Host, Nodes, Deadline) end
    end.

known(Server, Host) ->
    Own = twitter_server:call(Server, erlang, node, []),
    Members = twitter_server:call(Server, twitter_cluster, members, [Host]),
    Running = twitter_server:call(Server, ejabberd_cluster, get_nodes, []),
    IsServed = twitter_server:call(Server, twitter_service, all, [Host]) =/= [],
    {lists:sort([Own | [node(Member) || Member <- Members]]), lists:sort(Running), IsServed}.

%% @doc Returns when all nodes know that user. Past the cache, which would remember that he was not there.
-spec await_account(config(), twitter_client:user()) -> ok.
await_account(Config, {_, Host} = User) ->
    on_all_nodes(Config, true, fun(Server) ->
        lists:member(User, twitter_server:call(Server, ejabberd_auth_mnesia, get_users, [Host, []]))
    end).

%% @doc Returns when his roster says so of a contact on all nodes.
-spec await_contact(config(), twitter_client:user(), Contact :: twitter_client:user(), Subscription :: atom()) -> ok.
await_contact(Config, {User, Host}, {Contact, ContactHost}, Subscription) ->
    Key = {User, Host, {Contact, ContactHost, <<>>}},
    on_all_nodes(Config, Subscription, fun(Server) ->
        case twitter_server:call(Server, mnesia, dirty_read, [roster, Key]) of
            [Row] -> element(6, Row);
            [] -> none
        end
    end).

%% In Mnesia a transaction of one node is over on the others a little later; in SQL all have it at once.
on_all_nodes(Config, Expected, Look) ->
    Names = names(Config),
    Deadline = erlang:monotonic_time(millisecond) + ?AWAIT_MS,
    case twitter_server:storage(server(Config, hd(Names))) of
        mnesia -> lists:foreach(fun(Name) -> await_row(Expected, Look, Name, server(Config, Name), Deadline) end, Names);
        _ -> ok
    end.

await_row(Expected, Look, Name, Server, Deadline) ->
    case Look(Server) of
        Expected ->
            ok;
        Found ->
            erlang:monotonic_time(millisecond) < Deadline orelse error({never, Name, Expected, Found}),
            await_row(Expected, Look, Name, Server, Deadline)
    end.

%% @doc The network is split: no node of one side reaches one of the other.
-spec split(config(), {[name()], [name()]}) -> ok.
split(Config, {One, Other}) ->
    Cut = fun(Name, Far) ->
        Server = server(Config, Name),
        Node = node(Config, Far),
        %% With another cookie it cannot be reached, nor reach this one.
        true = twitter_server:call(Server, erlang, set_cookie, [Node, list_to_atom(lists:concat([cut_by_, Name]))])
    end,
    Pairs = [{Name, Far} || Name <- One, Far <- Other] ++ [{Far, Name} || Name <- One, Far <- Other],
    lists:foreach(fun({Name, Far}) -> Cut(Name, Far) end, Pairs),
    lists:foreach(
        fun({Name, Far}) -> twitter_server:call(server(Config, Name), erlang, disconnect_node, [node(Config, Far)]) end,
        Pairs
    ),
    ok = await_alone(Config, One),
    await_alone(Config, Other).

await_alone(Config, Names) ->
    await_members(Config, Names).

%% @doc They can reach each other again, and do.
-spec heal(config()) -> ok.
heal(Config) ->
    #{cookie := Cookie} = cluster(Config),
    Pairs = [{Name, Far} || Name <- names(Config), Far <- names(Config), Name =/= Far],
    lists:foreach(
        fun({Name, Far}) -> true = twitter_server:call(server(Config, Name), erlang, set_cookie, [node(Config, Far), Cookie]) end,
        Pairs
    ),
    lists:foreach(
        fun({Name, Far}) -> true = twitter_server:call(server(Config, Name), net_kernel, connect_node, [node(Config, Far)]) end,
        Pairs
    ).

%% @doc The node that puts the changes of an author in order, and whether it is this one's.
-spec owner(config(), name(), Author :: binary()) -> node().
owner(Config, Name, Author) ->
    twitter_server:call(server(Config, Name), twitter_writer, owner, [host(Config), Author]).
