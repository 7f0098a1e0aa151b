%%% Whoever blocks and whoever is blocked gets nothing, from the moment on at which the server has said
%%% that the block is set, in whatever way it was set, and whatever becomes of those who know of it.
%%% privacy_SUITE is about lists of sessions and of users. All cases run with `delivery: fast' and with
%%% `delivery: full'.
-module(blocks_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    each_block_counts_at_once/1,
    many_block_at_the_same_time/1,
    blocks_go_with_the_account/1,
    another_module_has_a_say/1,
    the_process_is_killed/1,
    a_block_is_set_while_nobody_knows/1,
    nobody_counts_who_is_online/1,
    the_module_of_lists_stops_and_starts/1,
    a_backup_is_restored/1,
    no_error_was_logged/1
]).
%% Hook on the server under test.
-export([deny/4]).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [{group, fast}, {group, full}].

groups() ->
    Cases = [
        {group, clients},
        another_module_has_a_say,
        the_process_is_killed,
        a_block_is_set_while_nobody_knows,
        nobody_counts_who_is_online,
        the_module_of_lists_stops_and_starts
    ] ++ twitter_database:only(mnesia, "it is Mnesia's backup", [a_backup_is_restored]) ++ [
        no_error_was_logged
    ],
    [
        {fast, [], Cases},
        {full, [], Cases},
        {clients, [parallel], [
            each_block_counts_at_once,
            many_block_at_the_same_time,
            blocks_go_with_the_account
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
        twitter => #{delivery => Way}
    }),
    [{server, Server} | Config].

end_per_group(clients, _Config) -> ok;
end_per_group(_Way, Config) -> twitter_cases:stop(Config).

%%% Clients

%% Each of both sides in turn, hundreds of times.
each_block_counts_at_once(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Ids = lists:append([
        begin
            ok = twitter_users:block(Who, twitter_client:bare(Whom)),
            _ = post(Server, Alice, <<"secret-", Id/binary>>),
            ok = twitter_users:unblock(Who, twitter_client:bare(Whom)),
            post(Server, Alice, Id)
        end
     || N <- lists:seq(1, 100), {Who, Whom, By} <- [{Alice, Bob, <<"a">>}, {Bob, Alice, <<"b">>}],
        Id <- [<<By/binary, (integer_to_binary(N))/binary>>]
    ]),
    ?assertEqual(Ids, ids(Server, Bob)).

post(Server, Author, Id) ->
    Id = twitter_requests:publish(Author, Id, <<"Hello">>),
    ok = settle(Server),
    [Id].

many_block_at_the_same_time(Config) ->
    Server = twitter_cases:server(Config),
    [Alice | Readers] = twitter_cases:friends(Config, [<<"alice">> | lists:duplicate(12, <<"bob">>)]),
    Author = twitter_client:bare(Alice),
    {Busy, Ref} = spawn_monitor(fun() -> [twitter_requests:publish(Alice, <<"noise">>) || _ <- lists:seq(1, 100)] end),
    %% Each has a post to hide from; that of others may come before or after.
    _ = twitter_cases:together([
        fun() ->
            Id = twitter_client:bare(Reader),
            ok = twitter_users:block(Reader, Author),
            Id = twitter_requests:publish(Alice, Id, <<"Not for you">>),
            ok = settle(Server)
        end
     || Reader <- Readers
    ]),
    receive
        {'DOWN', Ref, process, Busy, Reason} -> ?assertEqual(normal, Reason)
    end,
    [?assertNot(lists:member(twitter_client:bare(Reader), ids(Server, Reader))) || Reader <- Readers].

%% Who takes the name of a deleted account blocks nobody; all others still do.
blocks_go_with_the_account(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    [ok = twitter_users:block(C, twitter_client:bare(Alice)) || C <- [Bob, Carol]],
    {Name, Host} = User = twitter_cases:user(Bob),
    ok = twitter_users:unregister(Server, User),
    User = twitter_users:register(Server, Name, Host),
    ok = twitter_users:befriend(Server, twitter_cases:user(Alice), User),
    New = twitter_users:login(Server, User),
    _ = post(Server, Alice, <<"a">>),
    ?assertEqual([[<<"a">>], []], [ids(Server, C) || C <- [New, Carol]]),
    ok = twitter_users:block(New, twitter_client:bare(Alice)),
    _ = post(Server, Alice, <<"b">>),
    ?assertEqual([[], []], [ids(Server, C) || C <- [New, Carol]]).

%%% Those who know

%% It is asked for everybody, also for who has no list.
another_module_has_a_say(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Denied = twitter_users:login(Server, twitter_users:fresh(Server, <<"denied">>)),
    ok = twitter_users:befriend(Server, twitter_cases:user(Alice), twitter_cases:user(Denied)),
    [
        begin
            _ = post(Server, Alice, <<"open">>),
            ?assertEqual([[<<"open">>], [<<"open">>]], [ids(Server, C) || C <- [Bob, Denied]]),
            twitter_cases:hooked(Config, privacy_check_packet, {?MODULE, deny}, fun() ->
                _ = post(Server, Alice, <<"closed">>),
                ?assertEqual([[<<"closed">>], []], [ids(Server, C) || C <- [Bob, Denied]])
            end)
        end
     || _ <- lists:seq(1, 10)
    ].

%% ejabberd asks for sessions, and for users.
deny(Acc, #{jid := Jid}, Packet, Direction) -> deny(Acc, Jid, Packet, Direction);
deny(_Acc, #jid{luser = <<"denied", _/binary>>}, #message{}, in) -> {stop, deny};
deny(Acc, _Who, _Packet, _Direction) -> Acc.

the_process_is_killed(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    ok = twitter_users:block(Bob, twitter_client:bare(Alice)),
    Ids = lists:append([
        begin
            Killed = twitter_inside:kill(Server, twitter_watch_localhost),
            Posted = post(Server, Alice, integer_to_binary(N)),
            ok = twitter_inside:await_other(Server, twitter_watch_localhost, Killed),
            Posted
        end
     || N <- lists:seq(1, 5)
    ]),
    ?assertEqual([[], Ids], [ids(Server, C) || C <- [Bob, Carol]]),
    ok = twitter_users:block(Carol, twitter_client:bare(Alice)),
    ok = twitter_users:unblock(Bob, twitter_client:bare(Alice)),
    _ = post(Server, Alice, <<"b">>),
    ?assertEqual([[<<"b">>], []], [ids(Server, C) || C <- [Bob, Carol]]).

a_block_is_set_while_nobody_knows(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    ok = twitter_server:call(Server, sys, suspend, [twitter_sup_localhost]),
    Killed = twitter_inside:kill(Server, twitter_watch_localhost),
    ok = twitter_users:block(Bob, twitter_client:bare(Alice)),
    _ = post(Server, Alice, <<"a">>),
    ok = twitter_server:call(Server, sys, resume, [twitter_sup_localhost]),
    ok = twitter_inside:await_other(Server, twitter_watch_localhost, Killed),
    _ = post(Server, Alice, <<"b">>),
    ?assertEqual([], ids(Server, Bob)).

%% Then ejabberd is asked for sessions; of blocks it must be heard all the same.
nobody_counts_who_is_online(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    ok = twitter_server:call(Server, supervisor, terminate_child, [twitter_sup_localhost, twitter_sessions]),
    Ids = lists:append([
        begin
            ok = twitter_users:block(Who, twitter_client:bare(Whom)),
            _ = post(Server, Alice, <<"secret">>),
            ok = twitter_users:unblock(Who, twitter_client:bare(Whom)),
            post(Server, Alice, Id)
        end
     || {Who, Whom, Id} <- [{Alice, Bob, <<"a">>}, {Bob, Alice, <<"b">>}]
    ]),
    {ok, _} = twitter_server:call(Server, supervisor, restart_child, [twitter_sup_localhost, twitter_sessions]),
    ?assertEqual(Ids, ids(Server, Bob)).

%% Without it nobody can block; with other options, and back, all blocks count.
the_module_of_lists_stops_and_starts(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    ok = twitter_users:block(Bob, twitter_client:bare(Alice)),
    ok = twitter_server:call(Server, gen_mod, stop_module, [<<"localhost">>, mod_privacy]),
    _ = post(Server, Alice, <<"a">>),
    ?assertEqual([<<"a">>], ids(Server, Bob)),
    ok = twitter_server:call(Server, gen_mod, start_module, [<<"localhost">>, mod_privacy]),
    _ = post(Server, Alice, <<"b">>),
    without_cache(Server, fun() -> post(Server, Alice, <<"c">>) end),
    _ = post(Server, Alice, <<"d">>),
    ?assertEqual([], ids(Server, Bob)).

without_cache(Server, Fun) ->
    ok = twitter_server:reload(Server, #{modules => #{mod_privacy => #{use_cache => false}}}),
    _ = Fun(),
    ok = twitter_server:reload(Server, #{modules => #{}}).

%% There are as many users with lists before as after, only not the same ones. With its cache mod_privacy
%% itself would not see that.
a_backup_is_restored(Config) ->
    without_cache(twitter_cases:server(Config), fun() -> backup_is_restored(Config) end).

backup_is_restored(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    Author = twitter_client:bare(Alice),
    File = filename:join(proplists:get_value(priv_dir, Config), "backup"),
    ok = twitter_users:block(Bob, Author),
    ok = twitter_server:call(Server, mnesia, backup, [File]),
    [
        begin
            ok = twitter_server:call(Server, mnesia, dirty_delete, [privacy, twitter_cases:user(Bob)]),
            ok = twitter_users:block(Carol, Author),
            _ = post(Server, Alice, <<"before">>),
            ?assertEqual({How, [[<<"before">>], []]}, {How, [ids(Server, C) || C <- [Bob, Carol]]}),
            {atomic, _} = twitter_server:call(Server, Module, restore, [File | Options]),
            _ = post(Server, Alice, <<"after">>),
            ?assertEqual({How, []}, {How, ids(Server, Bob)}),
            %% And who blocks now is heard of.
            ok = twitter_server:call(Server, mnesia, dirty_delete, [privacy, twitter_cases:user(Carol)]),
            _ = post(Server, Alice, <<"later">>),
            ok = twitter_users:block(Carol, Author),
            _ = post(Server, Alice, <<"latest">>),
            ?assertEqual(<<"later">>, lists:last(ids(Server, Carol)))
        end
     || {How, Module, Options} <- [
            {by_the_admin, ejabberd_admin, []},
            {cleared, mnesia, [[{clear_tables, [privacy]}, {default_op, skip_tables}]]},
            {made_anew, mnesia, [[{recreate_tables, [privacy]}, {default_op, skip_tables}]]},
            {cleared_again, mnesia, [[{clear_tables, [privacy]}, {default_op, skip_tables}]]}
        ]
    ].

no_error_was_logged(Config) ->
    twitter_cases:no_error_but_of_killed_processes(Config).

%%% Helpers

friends(Config) ->
    list_to_tuple(twitter_cases:friends(Config, [<<"alice">>, <<"bob">>])).

ids(Server, Client) ->
    [Id || {item, _, Id, _} <- twitter_events:posts(Server, Client)].

settle(Server) ->
    twitter_server:settle(Server, <<"pubsub.localhost">>).
