%%% Resumption of a session whose connection was lost (XEP-0198): no post is missing, none comes twice.
-module(resumption_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    who_resumes_gets_what_was_posted_meanwhile/1,
    who_resumes_again_and_again_gets_each_post_once/1,
    who_never_resumes_costs_nobody_a_post/1,
    no_error_was_logged/1
]).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [{group, fast}, {group, full}].

groups() ->
    Cases = [{group, clients}, no_error_was_logged],
    [
        {fast, [], Cases},
        {full, [], Cases},
        {clients, [parallel], [
            who_resumes_gets_what_was_posted_meanwhile,
            who_resumes_again_and_again_gets_each_post_once,
            who_never_resumes_costs_nobody_a_post
        ]}
    ].

init_per_suite(Config) -> Config.

end_per_suite(_Config) -> ok.

init_per_group(clients, Config) ->
    Config;
init_per_group(Way, Config) ->
    {ok, Server} = twitter_server:start(#{
        dir => proplists:get_value(priv_dir, Config),
        name => atom_to_list(Way),
        twitter => #{delivery => Way},
        modules => #{mod_stream_mgmt => #{}}
    }),
    [{server, Server} | Config].

end_per_group(clients, _Config) -> ok;
end_per_group(_Way, Config) -> twitter_cases:stop(Config).

who_resumes_gets_what_was_posted_meanwhile(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    {Id, Wire} = managed(Config, Bob),
    _ = twitter_requests:publish(Alice, <<"seen">>, <<"Here I am">>),
    ok = settle(Server),
    Seen = twitter_wire:stanzas(twitter_wire:sync(Wire)),
    %% The answer of that was one, too.
    H = length(Seen) + 1,
    ok = twitter_wire:drop(Wire),
    Ids = [<<"meanwhile-", (integer_to_binary(N))/binary>> || N <- lists:seq(1, 20)],
    _ = twitter_requests:publish_all(Alice, Ids),
    Resumed = twitter_wire:resume(Server, twitter_cases:user(Bob), Id, H),
    _ = twitter_requests:publish(Alice, <<"after">>, <<"Welcome back">>),
    ok = settle(Server),
    Received = events(twitter_wire:stanzas(twitter_wire:sync(Resumed))),
    ?assertEqual(Ids ++ [<<"after">>], Received),
    %% Nor is anything else of his concerned.
    ?assertEqual([<<"seen">>] ++ Ids ++ [<<"after">>], ids(Server, Bob)).

%% Connections break at any moment while posts come; at the end each has come once.
who_resumes_again_and_again_gets_each_post_once(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    {Id, Wire} = managed(Config, Bob),
    Ids = [integer_to_binary(N) || N <- lists:seq(1, 150)],
    {Author, Ref} = spawn_monitor(fun() -> _ = twitter_requests:publish_all(Alice, Ids) end),
    {Last, Seen} = lists:foldl(
        fun(_, {Before, Stanzas}) ->
            More = Stanzas ++ twitter_wire:stanzas(twitter_wire:sync(Before)) ++ [answer],
            ok = twitter_wire:drop(Before),
            {twitter_wire:resume(Server, twitter_cases:user(Bob), Id, length(More)), More}
        end,
        {Wire, []},
        lists:seq(1, 15)
    ),
    receive
        {'DOWN', Ref, process, Author, Reason} -> ?assertEqual(normal, Reason)
    end,
    ok = settle(Server),
    All = Seen ++ twitter_wire:stanzas(twitter_wire:sync(Last)),
    ?assertEqual(lists:sort(Ids), lists:sort(events(All))),
    ?assertEqual(Ids, ids(Server, Bob)).

who_never_resumes_costs_nobody_a_post(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    {_Id, Wire} = managed(Config, Bob),
    Lost = twitter_inside:session(Server, <<(twitter_client:bare(Bob))/binary, "/managed">>),
    ok = twitter_wire:drop(Wire),
    _ = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>]),
    ?assertEqual([<<"a">>, <<"b">>], ids(Server, Bob)),
    %% It is given up, with what it has not acknowledged.
    ok = twitter_server:call(Server, ejabberd_c2s, stop_async, [Lost]),
    ok = twitter_inside:await_end(Server, Lost),
    _ = twitter_requests:publish(Alice, <<"c">>, <<"Without it">>),
    ?assertEqual([<<"c">>], ids(Server, Bob)),
    Jid = twitter_server:call(Server, jid, decode, [twitter_client:bare(Bob)]),
    ?assertEqual([twitter_inside:session(Server, Bob)], [Pid || {Pid, _} <- twitter_server:call(Server, twitter_sessions, of_user, [Jid])]).

managed(Config, Client) ->
    Wire = twitter_wire:open(twitter_cases:server(Config), twitter_cases:user(Client), #{resource => <<"managed">>}),
    Id = twitter_wire:manage(Wire),
    {Id, Wire}.

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

friends(Config) ->
    list_to_tuple(twitter_cases:friends(Config, [<<"alice">>, <<"bob">>])).

ids(Server, Client) ->
    events(twitter_events:received(Server, Client)).

events(Stanzas) ->
    IsEvent = twitter_events:is_event(),
    [Id || #xmlel{} = Stanza <- Stanzas, IsEvent(Stanza), {item, _, Id, _} <- twitter_events:entries(Stanza)].

settle(Server) ->
    twitter_server:settle(Server, <<"pubsub.localhost">>).
