%%% The harness itself, against a stock ejabberd that knows nothing of the plugin:
%%% what the other suites take for granted.
-module(harness_SUITE).

-include_lib("fast_xml/include/fxml.hrl").

-export([all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    two_users_exchange_a_message/1,
    sync_shows_what_was_received_before/1,
    expect_gives_up_and_says_what_came/1,
    users_become_friends_by_stanzas/1,
    users_become_friends_quickly/1,
    a_pep_item_reaches_a_friend/1,
    a_wrong_password_is_refused/1,
    an_anonymous_user_logs_in/1,
    a_client_ends_with_its_owner/1,
    accounts_outlive_kill9/1,
    a_changed_option_takes_effect/1,
    a_refused_configuration_is_an_error/1,
    nothing_is_left_behind/1,
    a_server_has_a_database_of_its_own/1
]).

all() ->
    [{group, running}, {group, life}].

groups() ->
    [
        {running, [parallel], [
            two_users_exchange_a_message,
            sync_shows_what_was_received_before,
            expect_gives_up_and_says_what_came,
            users_become_friends_by_stanzas,
            users_become_friends_quickly,
            a_pep_item_reaches_a_friend,
            a_wrong_password_is_refused,
            an_anonymous_user_logs_in,
            a_client_ends_with_its_owner
        ]},
        {life, [], [
            accounts_outlive_kill9,
            a_changed_option_takes_effect,
            a_refused_configuration_is_an_error,
            nothing_is_left_behind,
            a_server_has_a_database_of_its_own
        ]}
    ].

init_per_suite(Config) ->
    Config.

end_per_suite(_Config) ->
    ok.

init_per_group(Group, Config) ->
    {ok, Server} = twitter_server:start(stock(Config, atom_to_list(Group))),
    [{server, Server} | Config].

end_per_group(_Group, Config) ->
    ok = twitter_server:stop(server(Config)).

%%% running

two_users_exchange_a_message(Config) ->
    {Alice, Bob} = two_clients(Config),
    send_message(Alice, Bob, <<"Hello">>),
    Message = twitter_client:expect(Bob, named(<<"message">>)),
    <<"Hello">> = fxml:get_path_s(Message, [{elem, <<"body">>}, cdata]),
    true = twitter_client:jid(Alice) =:= fxml:get_tag_attr_s(<<"from">>, Message),
    ok = twitter_client:close(Alice),
    ok = twitter_client:close(Bob).

sync_shows_what_was_received_before(Config) ->
    {Alice, Bob} = two_clients(Config),
    [] = twitter_client:sync(Bob),
    send_message(Alice, Bob, <<"one">>),
    send_message(Alice, Bob, <<"two">>),
    %% When Alice has her answer, the server has handled what she sent before.
    [] = twitter_client:sync(Alice),
    [<<"one">>, <<"two">>] = [
        fxml:get_path_s(Message, [{elem, <<"body">>}, cdata])
     || Message <- twitter_client:sync(Bob)
    ],
    ok = twitter_client:refute(Bob, named(<<"message">>)).

expect_gives_up_and_says_what_came(Config) ->
    {Alice, Bob} = two_clients(Config),
    send_message(Alice, Bob, <<"Hello">>),
    try twitter_client:expect(Bob, named(<<"iq">>), 200) of
        Stanza -> error({unexpected, Stanza})
    catch
        error:{not_received, [#xmlel{name = <<"message">>}]} -> ok
    end,
    %% Who gave up takes nothing away from later.
    [#xmlel{name = <<"message">>}] = twitter_client:sync(Bob).

users_become_friends_by_stanzas(Config) ->
    Server = server(Config),
    {AliceUser, BobUser} = two_users(Config),
    Alice = twitter_users:login(Server, AliceUser),
    Bob = twitter_users:login(Server, BobUser),
    ok = twitter_users:befriend(Alice, Bob),
    assert_friends(Server, AliceUser, BobUser).

users_become_friends_quickly(Config) ->
    Server = server(Config),
    {Alice, Bob} = two_users(Config),
    ok = twitter_users:befriend(Server, Alice, Bob),
    assert_friends(Server, Alice, Bob),
    ok = twitter_users:remove_contact(Server, Alice, Bob),
    [] = twitter_users:roster(Server, Alice),
    ok = twitter_users:set_contact(Server, Bob, <<"carol@elsewhere.example">>, from, <<"Carol">>),
    Expected = lists:sort([{twitter_users:jid(Alice), none}, {<<"carol@elsewhere.example">>, from}]),
    Expected = twitter_users:roster(Server, Bob).

a_pep_item_reaches_a_friend(Config) ->
    Server = server(Config),
    {AliceUser, BobUser} = two_users(Config),
    ok = twitter_users:befriend(Server, AliceUser, BobUser),
    Alice = twitter_users:login(Server, AliceUser),
    Bob = twitter_users:login(Server, BobUser),
    %% A subscription, so that the suite need not speak entity capabilities.
    #xmlel{} = publish_tune(Alice, <<"first">>),
    <<"result">> = type(twitter_client:request(Bob, [
        <<"<iq type='set' to='">>, twitter_users:jid(AliceUser),
        <<"'><pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='tune' jid='">>,
        twitter_users:jid(BobUser), <<"'/></pubsub></iq>">>
    ])),
    <<"result">> = type(publish_tune(Alice, <<"second">>)),
    IsSecond = fun(Stanza) ->
        <<"second">> =:= fxml:get_path_s(Stanza, [
            {elem, <<"event">>}, {elem, <<"items">>}, {elem, <<"item">>}, {elem, <<"tune">>}, cdata
        ])
    end,
    Event = twitter_client:expect(Bob, IsSecond),
    true = twitter_users:jid(AliceUser) =:= fxml:get_tag_attr_s(<<"from">>, Event).

a_wrong_password_is_refused(Config) ->
    Server = server(Config),
    {Alice, _} = two_users(Config),
    try twitter_client:connect(Server, Alice, <<"wrong">>) of
        _ -> error(logged_in)
    catch
        error:{login_failed, #xmlel{name = <<"failure">>}} -> ok
    end.

an_anonymous_user_logs_in(Config) ->
    Client = twitter_client:anonymous(server(Config), <<"localhost">>),
    {_, _} = binary:match(twitter_client:jid(Client), <<"@localhost/">>),
    ok = twitter_client:close(Client).

a_client_ends_with_its_owner(Config) ->
    {_, Bob} = two_users(Config),
    Server = server(Config),
    Self = self(),
    {Owner, OwnerMonitor} = spawn_monitor(fun() -> Self ! {client, twitter_users:login(Server, Bob)} end),
    Client =
        receive
            {client, Pid} -> Pid
        end,
    receive
        {'DOWN', OwnerMonitor, process, Owner, normal} -> ok
    end,
    ClientMonitor = monitor(process, Client),
    receive
        {'DOWN', ClientMonitor, process, Client, _} -> ok
    end.

%%% life

accounts_outlive_kill9(Config) ->
    Server = server(Config),
    {AliceUser, BobUser} = two_users(Config),
    ok = twitter_users:befriend(Server, AliceUser, BobUser),
    Alice = twitter_users:login(Server, AliceUser),
    OsPid = twitter_server:os_pid(Server),
    ok = twitter_server:kill9(Server),
    false = twitter_server:is_running(Server),
    false = is_process_of_the_system(OsPid),
    try twitter_client:expect(Alice, named(<<"message">>)) of
        _ -> error(connected)
    catch
        error:{connection_closed, _} -> ok
    end,
    ok = twitter_server:restart(Server),
    assert_friends(Server, AliceUser, BobUser),
    Again = twitter_users:login(Server, AliceUser),
    [] = twitter_client:sync(Again).

a_changed_option_takes_effect(Config) ->
    Server = server(Config),
    {User, _} = two_users(Config),
    Client = twitter_users:login(Server, User),
    Discover = <<"<iq type='get' to='news.localhost'>"
        "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>">>,
    <<"error">> = type(twitter_client:request(Client, Discover)),
    ok = twitter_server:reload(Server, #{pubsub => #{hosts => [<<"news.localhost">>]}}),
    <<"result">> = type(twitter_client:request(Client, Discover)),
    ok = twitter_server:restart(Server, #{pubsub => #{}}),
    Later = twitter_users:login(Server, User),
    <<"error">> = type(twitter_client:request(Later, Discover)),
    {_, _} = binary:match(twitter_server:log(Server), <<"Reloading configuration">>).

a_refused_configuration_is_an_error(Config) ->
    Options = (stock(Config, "refused"))#{modules => #{mod_ping => #{no_such_option => 1}}},
    {error, {not_started, Log}} = twitter_server:start(Options),
    {_, _} = binary:match(Log, <<"no_such_option">>).

nothing_is_left_behind(Config) ->
    {ok, Server} = twitter_server:start(stock(Config, "gone")),
    OsPid = twitter_server:os_pid(Server),
    Port = twitter_server:port(Server),
    true = is_process_of_the_system(OsPid),
    ok = twitter_server:stop(Server),
    false = is_process_of_the_system(OsPid),
    {error, econnrefused} = gen_tcp:connect({127, 0, 0, 1}, Port, []),
    nonode@nohost = node().

%% It keeps it when it is killed, and for the vhosts that it gets later there is room as well.
a_server_has_a_database_of_its_own(Config) ->
    Storage = case twitter_database:storage() of
        mnesia -> sqlite;
        Sql -> Sql
    end,
    [One, Other] = [
        begin
            {ok, Server} = twitter_server:start((stock(Config, Name))#{storage => Storage}),
            Server
        end
     || Name <- ["one", "other"]
    ],
    [Alice, Bob, Carol] = [<<"alice">>, <<"bob">>, <<"carol">>],
    _ = twitter_users:register(One, Alice, <<"localhost">>),
    _ = twitter_users:register(Other, Bob, <<"localhost">>),
    ok = twitter_users:befriend(One, {Alice, <<"localhost">>}, twitter_users:fresh(One, Carol)),
    ok = twitter_server:kill9(One),
    ok = twitter_server:restart(One, #{hosts => [<<"localhost">>, <<"later.localhost">>]}),
    _ = twitter_users:register(One, Carol, <<"later.localhost">>),
    true = lists:member([Alice], twitter_stored:rows(One, "SELECT username FROM users")),
    2 = length(twitter_stored:rows(One, "SELECT username FROM rosterusers")),
    [[Bob]] = twitter_stored:rows(Other, "SELECT username FROM users"),
    {[Alice], [Carol]} = {
        [Name || {Name, _} <- twitter_server:call(One, ejabberd_auth, get_users, [<<"localhost">>]), Name =:= Alice],
        [Name || {Name, _} <- twitter_server:call(One, ejabberd_auth, get_users, [<<"later.localhost">>])]
    },
    [ok = twitter_server:stop(Server) || Server <- [One, Other]],
    ok.

%%% Helpers

stock(Config, Name) ->
    #{
        dir => proplists:get_value(priv_dir, Config),
        name => Name,
        plugin => false,
        options => #{auth_method => [mnesia, anonymous]}
    }.

server(Config) ->
    proplists:get_value(server, Config).

two_users(Config) ->
    Server = server(Config),
    {twitter_users:fresh(Server, <<"alice">>), twitter_users:fresh(Server, <<"bob">>)}.

two_clients(Config) ->
    Server = server(Config),
    {Alice, Bob} = two_users(Config),
    {twitter_users:login(Server, Alice), twitter_users:login(Server, Bob)}.

send_message(From, To, Text) ->
    twitter_client:send(From, [
        <<"<message type='chat' to='">>, twitter_client:jid(To), <<"'><body>">>, Text,
        <<"</body></message>">>
    ]).

publish_tune(Client, Title) ->
    twitter_client:request(Client, [
        <<"<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'>">>,
        <<"<publish node='tune'><item><tune xmlns='http://jabber.org/protocol/tune'>">>, Title,
        <<"</tune></item></publish></pubsub></iq>">>
    ]).

assert_friends(Server, One, Other) ->
    [{OtherJid, both}] = twitter_users:roster(Server, One),
    [{OneJid, both}] = twitter_users:roster(Server, Other),
    OtherJid = twitter_users:jid(Other),
    OneJid = twitter_users:jid(One),
    ok.

named(Name) ->
    fun(#xmlel{name = Actual}) -> Actual =:= Name end.

type(Stanza) ->
    fxml:get_tag_attr_s(<<"type">>, Stanza).

is_process_of_the_system(OsPid) ->
    "" =/= os:cmd("ps -o pid= -p " ++ OsPid).
