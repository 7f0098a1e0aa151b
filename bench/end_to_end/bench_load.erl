%%% The load client: a process of the operating system that holds all connections to one server. It
%%% ends when its input does, hence with this node.
-module(bench_load).

-export([start/0, stop/1, call/2, connect/3, settle/1]).
-export_type([load/0]).

-opaque load() :: port().

%% An answer has a number for each post.
-define(MAX_LINE, 1_000_000).
-define(IN_FLIGHT, 100).

-spec start() -> load().
start() ->
    Target = filename:absname(os:getenv("CARGO_TARGET_DIR", "target")),
    Program = filename:join([Target, "release", "twitter_load"]),
    open_port({spawn_executable, Program}, [binary, {line, ?MAX_LINE}, use_stdio, exit_status]).

-spec stop(load()) -> ok.
stop(Load) ->
    true = port_close(Load),
    ok.

%% @doc Has the client do something, and returns what it says. Raises what it could not do, and when
%% it ends.
-spec call(load(), Command :: map()) -> Answer :: map().
call(Load, Command) ->
    ok = send(Load, [jiffy:encode(Command), $\n]),
    case jiffy:decode(line(Load, []), [return_maps]) of
        #{<<"error">> := Reason} -> error({load_client, Reason});
        Answer -> Answer
    end.

%% To a client that has ended nothing can be sent; its last message says how it ended.
send(Load, Text) ->
    try port_command(Load, Text) of
        true -> ok
    catch
        error:badarg -> ok
    end.

line(Load, Before) ->
    receive
        {Load, {data, {eol, Part}}} -> [Before, Part];
        {Load, {data, {noeol, Part}}} -> line(Load, [Before, Part]);
        {Load, {exit_status, Status}} -> error({load_client_ended, Status})
    end.

%% @doc Logs in `Count' users, from number `First' on, whose names begin with `prefix'.
-spec connect(load(), Port :: inet:port_number(), #{
    prefix := binary(), first := non_neg_integer(), count := pos_integer(), role := speaker | follower
}) -> Answer :: map().
connect(Load, Port, Users) ->
    {Presence, Info} = capabilities(),
    call(Load, Users#{
        op => connect,
        port => Port,
        host => <<"localhost">>,
        password => bench_inside:password(),
        presence => Presence,
        info => Info,
        in_flight => ?IN_FLIGHT
    }).

%% @doc Returns when nothing comes any more.
-spec settle(load()) -> ok.
settle(Load) ->
    _ = call(Load, #{op => settle, quiet_ms => 300}),
    ok.

%% Everybody's client says by entity capabilities (XEP-0115) that it wants microblogs from PEP.
capabilities() ->
    Features = lists:sort([
        <<"http://jabber.org/protocol/caps">>,
        <<"http://jabber.org/protocol/disco#info">>,
        <<"urn:xmpp:microblog:0+notify">>
    ]),
    Hash = base64:encode(
        crypto:hash(sha, ["client/pc//bench<" | [[Feature, $<] || Feature <- Features]])
    ),
    {
        <<"<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:bench' ver='",
            Hash/binary, "'/></presence>">>,
        iolist_to_binary([
            <<"<identity category='client' type='pc' name='bench'/>">>
            | [[<<"<feature var='">>, Feature, <<"'/>">>] || Feature <- Features]
        ])
    }.
