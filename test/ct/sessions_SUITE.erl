%%% Who is online: whatever becomes of a session, and of the process that keeps count of them, posts go
%%% to those who are there, once, and to nobody else.
-module(sessions_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    a_session_that_was_killed_costs_nobody_a_post/1,
    a_session_that_replaces_another_gets_each_post_once/1,
    a_session_that_replaces_another_says_itself_that_it_is_there/1,
    what_a_dying_session_has_not_taken_goes_to_no_other_resource/1,
    what_a_dying_session_has_not_taken_goes_to_its_successor/1,
    presence_comes_and_goes/1,
    an_account_is_deleted_while_online/1,
    friends_on_other_vhosts/1,
    active_lists_count_on_a_vhost_without_the_plugin/1,
    the_process_is_killed/1,
    nobody_counts_for_a_while/1,
    it_stops_and_starts_while_posts_come/1,
    the_plugin_stops_and_starts/1,
    a_hook_was_missed/1,
    no_error_was_logged/1
]).

-define(HOST, <<"localhost">>).
-define(OTHER, <<"other.localhost">>).
-define(PLAIN, <<"plain.localhost">>).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [{group, sessions}, {group, the_process}, no_error_was_logged].

groups() ->
    [
        {sessions, [parallel], [
            a_session_that_was_killed_costs_nobody_a_post,
            a_session_that_replaces_another_gets_each_post_once,
            a_session_that_replaces_another_says_itself_that_it_is_there,
            what_a_dying_session_has_not_taken_goes_to_no_other_resource,
            what_a_dying_session_has_not_taken_goes_to_its_successor,
            presence_comes_and_goes,
            an_account_is_deleted_while_online,
            friends_on_other_vhosts,
            active_lists_count_on_a_vhost_without_the_plugin
        ]},
        {the_process, [], [
            the_process_is_killed,
            nobody_counts_for_a_while,
            it_stops_and_starts_while_posts_come,
            the_plugin_stops_and_starts,
            a_hook_was_missed
        ]}
    ].

init_per_suite(Config) ->
    Plain = #{
        mod_caps => #{}, mod_disco => #{}, mod_ping => #{}, mod_privacy => #{}, mod_roster => #{},
        mod_pubsub => #{nodetree => tree, plugins => [<<"flat">>, <<"pep">>]}
    },
    twitter_cases:start(Config, #{
        hosts => [?HOST, ?OTHER, ?PLAIN],
        options => #{host_config => #{?PLAIN => #{modules => Plain}}}
    }).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Sessions

a_session_that_was_killed_costs_nobody_a_post(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Phone = resource(Config, Bob, <<"phone">>),
    Killed = twitter_inside:session(Server, Phone),
    true = twitter_server:call(Server, erlang, exit, [Killed, kill]),
    ok = twitter_inside:await_end(Server, Killed),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"One is dead">>),
    ?assertEqual([<<"a">>], ids(Server, Bob)),
    Again = resource(Config, Bob, <<"phone">>),
    _ = twitter_requests:publish(Alice, <<"b">>, <<"Back again">>),
    ?assertEqual([<<"b">>], ids(Server, Bob)),
    ?assertEqual([<<"b">>], ids(Server, Again)),
    ok = reconcile(Server),
    ?assertEqual(lists:sort([twitter_inside:session(Server, C) || C <- [Bob, Again]]), known(Server, Bob)).

a_session_that_replaces_another_gets_each_post_once(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    _ = resource(Config, Bob, <<"phone">>),
    New = resource(Config, Bob, <<"phone">>),
    _ = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>]),
    ?assertEqual([<<"a">>, <<"b">>], ids(Server, New)),
    ?assertEqual([<<"a">>, <<"b">>], ids(Server, Bob)).

%% That the old one was available says nothing about the new one.
a_session_that_replaces_another_says_itself_that_it_is_there(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Old = twitter_inside:session(Server, resource(Config, Bob, <<"phone">>)),
    ok = twitter_server:call(Server, sys, suspend, [Old]),
    New = resource(Config, Bob, <<"phone">>, #{priority => none}),
    ?assertNot(lists:member(twitter_inside:session(Server, New), known(Server, Bob))),
    ok = twitter_server:call(Server, sys, resume, [Old]),
    ok = twitter_inside:await_end(Server, Old),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Too early">>),
    ?assertEqual([], ids(Server, New)),
    ok = twitter_client:send(New, <<"<presence/>">>),
    _ = twitter_client:sync(New),
    _ = twitter_requests:publish(Alice, <<"b">>, <<"Good morning">>),
    ?assertEqual([<<"b">>], ids(Server, New)).

what_a_dying_session_has_not_taken_goes_to_no_other_resource(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Phone = resource(Config, Bob, <<"phone">>),
    Dying = dying(Server, Phone),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Twice?">>),
    ?assertEqual([<<"a">>], ids(Server, Bob)),
    ok = twitter_server:call(Server, sys, resume, [Dying]),
    ok = twitter_inside:await_end(Server, Dying),
    ?assertEqual([], ids(Server, Bob)).

what_a_dying_session_has_not_taken_goes_to_its_successor(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Dying = dying(Server, resource(Config, Bob, <<"phone">>)),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"To the old one">>),
    ok = settle(Server),
    Successor = resource(Config, Bob, <<"phone">>),
    _ = twitter_requests:publish(Alice, <<"b">>, <<"To the new one">>),
    ok = twitter_server:call(Server, sys, resume, [Dying]),
    ok = twitter_inside:await_end(Server, Dying),
    ?assertEqual([<<"a">>, <<"b">>], lists:sort(ids(Server, Successor))),
    ?assertEqual([<<"a">>, <<"b">>], ids(Server, Bob)).

%% A session that will end before it takes what comes from now on.
dying(Server, Client) ->
    Session = twitter_inside:session(Server, Client),
    ok = twitter_server:call(Server, sys, suspend, [Session]),
    ok = twitter_server:call(Server, ejabberd_c2s, stop_async, [Session]),
    Session.

presence_comes_and_goes(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Phone = resource(Config, Bob, <<"phone">>, #{priority => -7}),
    Hidden = resource(Config, Bob, <<"hidden">>, #{priority => none}),
    Say = fun(Client, Presence) ->
        ok = twitter_client:send(Client, Presence),
        _ = twitter_client:sync(Client)
    end,
    Post = fun(Id) ->
        _ = twitter_requests:publish(Alice, Id, <<"Hello">>),
        [ids(Server, Client) || Client <- [Bob, Phone, Hidden]]
    end,
    ?assertEqual([[<<"a">>], [<<"a">>], []], Post(<<"a">>)),
    _ = Say(Phone, <<"<presence type='unavailable'/>">>),
    _ = Say(Bob, <<"<presence><show>dnd</show><priority>-128</priority></presence>">>),
    ?assertEqual([[<<"b">>], [], []], Post(<<"b">>)),
    _ = Say(Phone, <<"<presence/>">>),
    _ = Say(Hidden, <<"<presence><priority>5</priority></presence>">>),
    ?assertEqual([[<<"c">>], [<<"c">>], [<<"c">>]], Post(<<"c">>)),
    ?assertEqual(3, length(known(Server, Bob))),
    [_ = Say(Client, <<"<presence type='unavailable'/>">>) || Client <- [Bob, Phone, Hidden]],
    ?assertEqual([[], [], []], Post(<<"d">>)),
    ?assertEqual([], known(Server, Bob)).

%%% Accounts and vhosts

an_account_is_deleted_while_online(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    Session = twitter_inside:session(Server, Bob),
    Jid = twitter_client:bare(Bob),
    ok = twitter_users:unregister(Server, twitter_cases:user(Bob)),
    ok = twitter_inside:await_end(Server, Session),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"One is gone">>),
    ?assertEqual([<<"a">>], ids(Server, Carol)),
    ?assertEqual([], known_jid(Server, Jid)).

friends_on_other_vhosts(Config) ->
    Server = twitter_cases:server(Config),
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    [
        begin
            {_, _} = User = twitter_users:fresh(Server, <<"dave">>, Host),
            ok = twitter_users:befriend(Server, twitter_cases:user(Alice), User),
            Dave = twitter_users:login(Server, User),
            Phone = twitter_users:login(Server, User, #{priority => -1}),
            Away = twitter_users:login(Server, User, #{priority => none}),
            _ = twitter_requests:publish(Alice, Host, <<"Hello over there">>),
            ?assertEqual({Host, [[Host], [Host], []]}, {Host, [ids(Server, C) || C <- [Dave, Phone, Away]]}),
            ok = twitter_users:remove_contact(Server, twitter_cases:user(Alice), User),
            _ = twitter_requests:publish(Alice, <<"gone">>, <<"Not for you">>),
            ?assertEqual({Host, []}, {Host, ids(Server, Dave)})
        end
     || Host <- [?OTHER, ?PLAIN]
    ].

active_lists_count_on_a_vhost_without_the_plugin(Config) ->
    Server = twitter_cases:server(Config),
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    User = twitter_users:fresh(Server, <<"dave">>, ?PLAIN),
    ok = twitter_users:befriend(Server, twitter_cases:user(Alice), User),
    [Desk, Phone] = [twitter_users:login(Server, User) || _ <- [desk, phone]],
    Set = fun(Content) ->
        Query = [<<"<iq type='set'><query xmlns='jabber:iq:privacy'>">>, Content, <<"</query></iq>">>],
        _ = twitter_answers:result(twitter_client:request(Phone, Query))
    end,
    _ = Set([<<"<list name='x'><item type='jid' action='deny' order='1' value='">>, twitter_client:bare(Alice), <<"'/></list>">>]),
    _ = Set(<<"<active name='x'/>">>),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Not on the phone">>),
    ?assertEqual([<<"a">>], ids(Server, Desk)),
    ?assertEqual([], ids(Server, Phone)).

%%% The process

the_process_is_killed(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Old = twitter_inside:kill(Server, twitter_sessions_localhost),
    ok = twitter_inside:await_other(Server, twitter_sessions_localhost, Old),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Still there?">>),
    ?assertEqual([<<"a">>], ids(Server, Bob)),
    ?assertEqual([twitter_inside:session(Server, Bob)], known(Server, Bob)).

%% Its supervisor cannot start it again: sessions go on telling who they are.
nobody_counts_for_a_while(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    ok = twitter_server:call(Server, sys, suspend, [twitter_sup_localhost]),
    Old = twitter_inside:kill(Server, twitter_sessions_localhost),
    Phone = resource(Config, Bob, <<"phone">>),
    ok = twitter_client:send(Bob, <<"<presence type='unavailable'/>">>),
    _ = twitter_client:sync(Bob),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Nobody counts">>),
    ?assertEqual([[], [<<"a">>]], [ids(Server, C) || C <- [Bob, Phone]]),
    ok = twitter_server:call(Server, sys, resume, [twitter_sup_localhost]),
    ok = twitter_inside:await_other(Server, twitter_sessions_localhost, Old),
    _ = twitter_requests:publish(Alice, <<"b">>, <<"Somebody counts">>),
    ?assertEqual([[], [<<"b">>]], [ids(Server, C) || C <- [Bob, Phone]]).

it_stops_and_starts_while_posts_come(Config) ->
    Server = twitter_cases:server(Config),
    Names = [<<"alice">> | lists:duplicate(8, <<"bob">>)],
    [Alice | Readers] = twitter_cases:friends(Config, Names),
    Ids = [integer_to_binary(N) || N <- lists:seq(1, 100)],
    {Author, Ref} = spawn_monitor(fun() -> _ = twitter_requests:publish_all(Alice, Ids) end),
    ok = stop_and_start(Server, Author, Ref),
    [?assertEqual(Ids, ids(Server, Reader)) || Reader <- Readers].

stop_and_start(Server, Author, Ref) ->
    ok = twitter_server:call(Server, supervisor, terminate_child, [twitter_sup_localhost, twitter_sessions]),
    {ok, _} = twitter_server:call(Server, supervisor, restart_child, [twitter_sup_localhost, twitter_sessions]),
    receive
        {'DOWN', Ref, process, Author, Reason} -> ?assertEqual(normal, Reason)
    after 0 -> stop_and_start(Server, Author, Ref)
    end.

the_plugin_stops_and_starts(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Gone = resource(Config, Bob, <<"gone">>),
    ok = twitter_server:call(Server, gen_mod, stop_module, [?HOST, mod_twitter]),
    ok = twitter_client:close(Gone),
    New = resource(Config, Bob, <<"new">>),
    {ok, _} = twitter_server:call(Server, gen_mod, start_module, [?HOST, mod_twitter]),
    ?assertEqual(lists:sort([twitter_inside:session(Server, C) || C <- [Bob, New]]), known(Server, Bob)),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Once more">>),
    ?assertEqual([[<<"a">>], [<<"a">>]], [ids(Server, C) || C <- [Bob, New]]).

a_hook_was_missed(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = friends(Config),
    Phone = without(Server, set_presence_hook, set_presence, fun() -> resource(Config, Bob, <<"phone">>) end),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Who is there?">>),
    ?assertEqual([[<<"a">>], []], [ids(Server, C) || C <- [Bob, Phone]]),
    ok = reconcile(Server),
    _ = twitter_requests:publish(Alice, <<"b">>, <<"Both">>),
    ?assertEqual([[<<"b">>], [<<"b">>]], [ids(Server, C) || C <- [Bob, Phone]]),
    without(Server, unset_presence_hook, unset_presence, fun() ->
        ok = twitter_client:send(Phone, <<"<presence type='unavailable'/>">>),
        _ = twitter_client:sync(Phone)
    end),
    ok = reconcile(Server),
    _ = twitter_requests:publish(Alice, <<"c">>, <<"One">>),
    ?assertEqual([[<<"c">>], []], [ids(Server, C) || C <- [Bob, Phone]]).

without(Server, Hook, Function, Fun) ->
    Args = [Hook, ?HOST, twitter_sessions, Function, 50],
    ok = twitter_server:call(Server, ejabberd_hooks, delete, Args),
    try
        Fun()
    after
        ok = twitter_server:call(Server, ejabberd_hooks, add, Args)
    end.

no_error_was_logged(Config) ->
    twitter_cases:no_error_but_of_killed_processes(Config).

%%% Helpers

friends(Config) ->
    list_to_tuple(twitter_cases:friends(Config, [<<"alice">>, <<"bob">>])).

resource(Config, Client, Resource) ->
    resource(Config, Client, Resource, #{}).

resource(Config, Client, Resource, Options) ->
    twitter_users:login(twitter_cases:server(Config), twitter_cases:user(Client), Options#{resource => Resource}).

ids(Server, Client) ->
    [Id || {item, _, Id, _} <- twitter_events:posts(Server, Client)].

settle(Server) ->
    twitter_server:settle(Server, <<"pubsub.localhost">>).

reconcile(Server) ->
    twitter_server:call(Server, twitter_sessions, reconcile, [?HOST]).

%% Those that the plugin knows of.
known(Server, Client) ->
    known_jid(Server, twitter_client:bare(Client)).

known_jid(Server, Bare) ->
    Jid = twitter_server:call(Server, jid, decode, [Bare]),
    lists:sort([Pid || {Pid, _} <- twitter_server:call(Server, twitter_sessions, of_user, [Jid])]).
