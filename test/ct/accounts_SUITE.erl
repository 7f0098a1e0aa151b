%%% An account goes, and its posts with it; who comes later under the same name starts anew.
-module(accounts_SUITE).

-include_lib("fast_xml/include/fxml.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([
    posts_go_with_the_account/1,
    a_user_deletes_his_account/1,
    who_comes_later_starts_anew/1,
    settings_go_while_he_is_online/1,
    settings_go_while_they_are_changed/1,
    an_account_without_posts_goes/1,
    an_account_goes_while_mod_twitter_is_stopped/1,
    an_account_goes_while_there_is_no_plugin/1,
    ordinary_nodes_go_as_ever/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(SERVICE, <<"pubsub.localhost">>).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [
        posts_go_with_the_account,
        a_user_deletes_his_account,
        who_comes_later_starts_anew,
        settings_go_while_he_is_online,
        settings_go_while_they_are_changed,
        an_account_without_posts_goes,
        an_account_goes_while_mod_twitter_is_stopped,
        an_account_goes_while_there_is_no_plugin,
        ordinary_nodes_go_as_ever
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Cases

posts_go_with_the_account(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Carol] = friends(Config),
    [AliceClient, BobClient, CarolClient] = [twitter_users:login(Server, User) || User <- [Alice, Bob, Carol]],
    Id = twitter_requests:publish(AliceClient, <<"Hello">>),
    OfCarol = twitter_requests:publish(CarolClient, <<"Hello too">>),
    2 = length(twitter_reading:entries(BobClient, ?FRIENDS)),
    ok = twitter_users:unregister(Server, Alice),
    [{_, OfCarol, _}] = twitter_reading:entries(BobClient, ?FRIENDS),
    <<"item-not-found">> = twitter_answers:refusal(
        twitter_requests:pubsub(BobClient, get, ["<items node='/twitter/FriendsStream/", Id, "'/>"])
    ),
    [] = twitter_stored:of_user(Server, Alice),
    ok = twitter_server:restart(Server),
    [{_, OfCarol, _}] = twitter_reading:entries(twitter_users:login(Server, Bob), ?FRIENDS).

%% As XEP-0077 has it.
a_user_deletes_his_account(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = friends(Config),
    AliceClient = twitter_users:login(Server, Alice),
    BobClient = twitter_users:login(Server, Bob),
    Id = twitter_requests:publish(AliceClient, <<"Hello">>),
    _ = twitter_client:expect(BobClient, twitter_events:is_event(?FRIENDS, Id)),
    ok = twitter_client:send(AliceClient, [
        "<iq type='set' id='bye' to='localhost'><query xmlns='jabber:iq:register'><remove/></query></iq>"
    ]),
    %% Alice's session ends when her account is gone.
    ok = await_end(AliceClient),
    [] = twitter_reading:entries(BobClient, ?FRIENDS),
    [] = twitter_stored:of_user(Server, Alice).

who_comes_later_starts_anew(Config) ->
    Server = twitter_cases:server(Config),
    [{Name, Host} = Alice, Bob, _] = friends(Config),
    AliceClient = twitter_users:login(Server, Alice),
    BobClient = twitter_users:login(Server, Bob),
    _ = twitter_requests:publish(AliceClient, <<"same">>, <<"old">>),
    _ = twitter_requests:publish(AliceClient, <<"old">>),
    ok = twitter_users:unregister(Server, Alice),
    Alice = twitter_users:register(Server, Name, Host),
    Anew = twitter_users:login(Server, Alice),
    [] = twitter_reading:entries(Anew, ?MINE),
    <<"same">> = twitter_requests:publish(Anew, <<"same">>, <<"new">>),
    [{_, <<"same">>, <<"new">>}] = twitter_reading:entries(Anew, ?MINE),
    [{<<"/twitter/MyStream/same">>, <<"new">>}] = twitter_reading:rows(Anew, ?MINE),
    %% Bob's roster knew another Alice.
    [] = twitter_reading:entries(BobClient, ?FRIENDS),
    ok = twitter_users:befriend(Server, Alice, Bob),
    [{_, <<"same">>, <<"new">>}] = twitter_reading:entries(BobClient, ?FRIENDS),
    ok = twitter_server:restart(Server),
    [{_, <<"same">>, <<"new">>}] = twitter_reading:entries(twitter_users:login(Server, Bob), ?FRIENDS).

%% What his session remembers goes with it.
settings_go_while_he_is_online(Config) ->
    Server = twitter_cases:server(Config),
    [{Name, Host} = Alice, Bob, _] = friends(Config),
    [AliceClient, BobClient] = [twitter_users:login(Server, User) || User <- [Alice, Bob]],
    ok = change(Server, Alice, mute, [twitter_client:bare(BobClient), forever]),
    ok = change(Server, Alice, set, [true, false, true]),
    _ = twitter_requests:publish(BobClient, <<"muted">>),
    [] = twitter_events:posts(Server, AliceClient),
    ok = twitter_users:unregister(Server, Alice),
    ok = await_end(AliceClient),
    [] = kept(Server, Alice),
    Alice = twitter_users:register(Server, Name, Host),
    ok = twitter_users:befriend(Server, Alice, Bob),
    Anew = twitter_users:login(Server, Alice),
    Id = twitter_requests:publish(BobClient, <<"heard">>),
    [Event] = twitter_events:received(Server, Anew),
    [{item, _, Id, _}] = twitter_events:entries(Event),
    true = none =/= twitter_events:body(Event).

%% However many changes are under way.
settings_go_while_they_are_changed(Config) ->
    Server = twitter_cases:server(Config),
    lists:foreach(
        fun(_) ->
            [Alice, _, _] = friends(Config),
            Case = self(),
            Workers = [spawn_link(fun() -> change_on(Server, Alice, Case) end) || _ <- [1, 2, 3, 4]],
            _ = [receive {Worker, began} -> ok end || Worker <- Workers],
            ok = twitter_users:unregister(Server, Alice),
            _ = [receive {Worker, refused} -> ok end || Worker <- Workers],
            [] = kept(Server, Alice)
        end,
        lists:seq(1, 10)
    ).

change_on(Server, User, Case) ->
    ok = change(Server, User, set, [true, false, true]),
    Case ! {self(), began},
    change_until_refused(Server, User),
    Case ! {self(), refused}.

change_until_refused(Server, User) ->
    case change(Server, User, set, [false, true, false]) of
        ok -> change_until_refused(Server, User);
        {refused, _} -> ok
    end.

an_account_without_posts_goes(Config) ->
    Server = twitter_cases:server(Config),
    [Alice | _] = friends(Config),
    Length = byte_size(twitter_server:log(Server)),
    ok = twitter_users:unregister(Server, Alice),
    <<_:Length/binary, Log/binary>> = twitter_server:log(Server),
    nomatch = binary:match(Log, [<<"[error]">>, <<"[warning]">>]).

%% The name is free while nobody watches over its posts; still nobody inherits them.
an_account_goes_while_mod_twitter_is_stopped(Config) ->
    Server = twitter_cases:server(Config),
    [{Name, Host} = Alice, Bob, _] = friends(Config),
    _ = twitter_requests:publish(twitter_users:login(Server, Alice), <<"Hello">>),
    ok = twitter_server:call(Server, gen_mod, stop_module, [Host, mod_twitter]),
    ok = twitter_users:unregister(Server, Alice),
    {ok, _} = twitter_server:call(Server, gen_mod, start_module, [Host, mod_twitter]),
    Alice = twitter_users:register(Server, Name, Host),
    ok = twitter_users:befriend(Server, Alice, Bob),
    Anew = twitter_users:login(Server, Alice),
    [] = twitter_reading:entries(Anew, ?MINE),
    %% As if there had never been anything.
    Retract = [twitter_requests:el(<<"item">>, [{<<"id">>, <<"a">>}], [])],
    Answer = twitter_requests:pubsub(Anew, set, [twitter_requests:el(<<"retract">>, [{<<"node">>, ?MINE}], Retract)]),
    <<"item-not-found">> = twitter_answers:refusal(Answer),
    ok = twitter_requests:purge(Anew),
    Id = twitter_requests:publish(Anew, <<"I am new here">>),
    [{_, Id, _}] = twitter_reading:entries(twitter_users:login(Server, Bob), ?FRIENDS).

%% The node of the posts stays behind, and is nobody's.
an_account_goes_while_there_is_no_plugin(Config) ->
    Server = twitter_cases:server(Config),
    [{Name, Host} = Alice | _] = friends(Config),
    _ = twitter_requests:publish(twitter_users:login(Server, Alice), <<"a">>, <<"Of the first Alice">>),
    ok = twitter_server:restart(Server, #{pubsub => #{nodetree => tree}, twitter => absent}),
    ok = twitter_users:unregister(Server, Alice),
    ok = twitter_server:restart(Server, #{pubsub => #{}, twitter => #{}}),
    Alice = twitter_users:register(Server, Name, Host),
    Anew = twitter_users:login(Server, Alice),
    [] = twitter_reading:entries(Anew, ?MINE),
    _ = twitter_requests:publish(Anew, <<"b">>, <<"Of the second">>),
    [<<"b">>] = twitter_reading:ids(Anew, ?MINE).

ordinary_nodes_go_as_ever(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = friends(Config),
    AliceClient = twitter_users:login(Server, Alice),
    Node = <<"of-", (element(1, Alice))/binary>>,
    none = twitter_answers:refusal(twitter_requests:pubsub(AliceClient, set, [
        "<publish node='", Node, "'><item id='1'><a xmlns='urn:a'/></item></publish>"
    ])),
    _ = twitter_requests:publish(AliceClient, <<"Hello">>),
    BobClient = twitter_users:login(Server, Bob),
    [{_, <<"1">>, _}] = twitter_reading:entries(BobClient, Node),
    ok = twitter_users:unregister(Server, Alice),
    ok = twitter_ordinary:check(Server),
    [] = twitter_stored:of_user(Server, Alice).

%%% Helpers

change(Server, User, Function, Args) ->
    twitter_wishes:change(Server, twitter_users:jid(User), Function, Args).

%% What the server keeps for him in private XML storage.
kept(Server, {Name, Host}) ->
    twitter_server:call(Server, mod_private, get_data, [Name, Host]).

friends(Config) ->
    [Bob, Alice, Carol] = twitter_cases:offline_friends(Config, [<<"bob">>, <<"alice">>, <<"carol">>]),
    [Alice, Bob, Carol].

await_end(Client) ->
    try twitter_client:expect(Client, fun(_) -> false end) of
        Stanza -> error({unexpected, Stanza})
    catch
        error:{connection_closed, _} -> ok
    end.
