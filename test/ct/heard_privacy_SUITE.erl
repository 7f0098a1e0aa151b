%%% Who may see what was heard of authors on other servers: those for whom it was sent, and nobody beside them,
%%% though they live on the same server and know the same author.
-module(heard_privacy_SUITE).

-include_lib("stdlib/include/assert.hrl").
-include_lib("fast_xml/include/fxml.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    a_neighbour_learns_nothing_of_a_single_post/1,
    a_neighbour_learns_nothing_of_a_relayed_post/1,
    a_neighbour_learns_nothing_of_an_edit/1,
    a_neighbour_learns_nothing_of_a_retraction/1,
    who_is_new_sees_what_comes_from_then_on/1,
    who_is_out_loses_everything/1,
    what_is_in_memory_is_lost_too/1,
    an_edit_for_one_is_hidden_from_the_others/1,
    a_post_for_one_is_hidden_from_the_audience/1,
    who_does_not_want_the_author_gets_nothing/1,
    a_contact_removed_gets_nothing/1,
    who_was_removed_while_it_waited_gets_nothing/1,
    readers_elsewhere_see_nothing/1,
    the_author_sees_nothing_here/1,
    nobody_reaches_the_stored_stream/1,
    a_user_of_that_name_sees_nothing_of_the_one_before/1,
    while_rows_change_nothing_is_for_everybody/1,
    what_is_read_from_storage_is_for_the_reader/1,
    a_stream_of_nobodys_friend_is_not_kept/1,
    an_author_who_moves_in_begins_anew/1,
    no_error_was_logged/1
]).
%% Run in the server under test.
-export([read/4]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(SERVICE, <<"pubsub.localhost">>).

all() ->
    [
        a_neighbour_learns_nothing_of_a_single_post,
        a_neighbour_learns_nothing_of_a_relayed_post,
        a_neighbour_learns_nothing_of_an_edit,
        a_neighbour_learns_nothing_of_a_retraction,
        who_is_new_sees_what_comes_from_then_on,
        who_is_out_loses_everything,
        what_is_in_memory_is_lost_too,
        an_edit_for_one_is_hidden_from_the_others,
        a_post_for_one_is_hidden_from_the_audience,
        who_does_not_want_the_author_gets_nothing,
        a_contact_removed_gets_nothing,
        who_was_removed_while_it_waited_gets_nothing,
        readers_elsewhere_see_nothing,
        the_author_sees_nothing_here,
        nobody_reaches_the_stored_stream,
        a_user_of_that_name_sees_nothing_of_the_one_before,
        while_rows_change_nothing_is_for_everybody,
        what_is_read_from_storage_is_for_the_reader,
        a_stream_of_nobodys_friend_is_not_kept,
        an_author_who_moves_in_begins_anew,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(xmpp),
    Port = twitter_server:free_port(),
    [{component, Port} | twitter_cases:start(Config, #{components => [Port], twitter => #{catch_up => 20}})].

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_testcase(_Case, Config) ->
    [{remote, twitter_remote:new(twitter_cases:server(Config), proplists:get_value(component, Config))} | Config].

end_per_testcase(_Case, Config) ->
    twitter_remote:delete(remote(Config)).

%%% The neighbour: bob and carol have the same author in their rosters, and both see her presence

a_neighbour_learns_nothing_of_a_single_post(Config) ->
    {Alice, Bob, Carol} = neighbours(Config),
    learns_nothing(Config, Carol, Alice, fun() ->
        twitter_remote:single(Alice, Bob, [{item, <<"secret">>, <<"For Bob">>}]),
        ?assertMatch([{item, _, <<"secret">>, _}], posts(Config, Bob))
    end),
    ?assertEqual([<<"secret">>], twitter_reading:ids(Bob, ?FRIENDS)).

a_neighbour_learns_nothing_of_a_relayed_post(Config) ->
    {Alice, Bob, Carol} = neighbours(Config),
    learns_nothing(Config, Carol, Alice, fun() ->
        ok = twitter_remote:audience(Alice, [Bob]),
        recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"For Bob">>}]),
        ?assertMatch([{item, _, <<"secret">>, _}], posts(Config, Bob))
    end),
    ?assertEqual([<<"secret">>], twitter_reading:ids(Bob, ?FRIENDS)).

a_neighbour_learns_nothing_of_an_edit(Config) ->
    {Alice, Bob, Carol} = neighbours(Config),
    twitter_remote:single(Alice, Bob, [{item, <<"secret">>, <<"For Bob">>}]),
    learns_nothing(Config, Carol, Alice, fun() ->
        twitter_remote:single(Alice, Bob, [{item, <<"secret">>, <<"Still for Bob">>}]),
        ok = twitter_remote:audience(Alice, [Bob]),
        recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"And still">>}])
    end).

a_neighbour_learns_nothing_of_a_retraction(Config) ->
    {Alice, Bob, Carol} = neighbours(Config),
    twitter_remote:single(Alice, Bob, [{item, <<"secret">>, <<"For Bob">>}]),
    learns_nothing(Config, Carol, Alice, fun() ->
        twitter_remote:single(Alice, Bob, [{retract, <<"secret">>}])
    end),
    ?assertMatch([_, {retract, _, <<"secret">>}], posts(Config, Bob)).

%%% Audiences that change

who_is_new_sees_what_comes_from_then_on(Config) ->
    {Alice, Bob, Carol} = neighbours(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"Before">>}]),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{item, <<"b">>, <<"After">>}]),
    ?assertEqual([<<"a">>, <<"b">>], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([<<"b">>], twitter_reading:ids(Carol, ?FRIENDS)),
    ?assertMatch([{item, _, <<"b">>, _}], posts(Config, Carol)).

who_is_out_loses_everything(Config) ->
    {Alice, Bob, Carol} = neighbours(Config),
    Never = everything(Config, Carol, Alice),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"For both">>}]),
    twitter_remote:single(Alice, Carol, [{item, <<"1">>, <<"For Carol">>}]),
    _ = posts(Config, Carol),
    ?assertEqual([<<"secret">>, <<"1">>], twitter_reading:ids(Carol, ?FRIENDS)),
    %% She is told so, even if there is nothing else to tell.
    ok = twitter_remote:audience(Alice, [Bob]),
    ?assertEqual(Never, everything(Config, Carol, Alice)),
    recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"For Bob">>}, {item, <<"2">>, <<"For Bob">>}]),
    ?assertEqual([], posts(Config, Carol)),
    ?assertEqual(Never, everything(Config, Carol, Alice)).

what_is_in_memory_is_lost_too(Config) ->
    {Alice, Bob, Carol} = neighbours(Config),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"For both">>}]),
    [?assertEqual([<<"secret">>], twitter_reading:ids(Reader, ?FRIENDS)) || Reader <- [Bob, Carol]],
    forget(Config, Alice),
    [?assertEqual([<<"secret">>], twitter_reading:ids(Reader, ?FRIENDS)) || Reader <- [Bob, Carol]],
    ok = twitter_remote:audience(Alice, [Bob]),
    ?assertEqual([], twitter_reading:ids(Carol, ?FRIENDS)),
    ?assertEqual([<<"secret">>], twitter_reading:ids(Bob, ?FRIENDS)),
    forget(Config, Alice),
    ?assertEqual([], twitter_reading:ids(Carol, ?FRIENDS)),
    ?assertEqual([<<"secret">>], twitter_reading:ids(Bob, ?FRIENDS)).

an_edit_for_one_is_hidden_from_the_others(Config) ->
    {Alice, Bob, Carol} = neighbours(Config),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"For both">>}]),
    _ = posts(Config, Carol),
    ?assertEqual([<<"secret">>], twitter_reading:ids(Carol, ?FRIENDS)),
    twitter_remote:single(Alice, Bob, [{item, <<"secret">>, <<"For Bob">>}]),
    ?assertEqual([], posts(Config, Carol)),
    ?assertEqual([], twitter_reading:ids(Carol, ?FRIENDS)),
    ?assertMatch([{_, _, <<"For Bob">>}], twitter_reading:entries(Bob, ?FRIENDS)).

a_post_for_one_is_hidden_from_the_audience(Config) ->
    {Alice, Bob, Carol} = neighbours(Config),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"For both">>}]),
    _ = posts(Config, Carol),
    learns_nothing(Config, Carol, Alice, fun() ->
        twitter_remote:single(Alice, Bob, [{item, <<"secret">>, <<"For Bob">>}])
    end),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{item, <<"b">>, <<"For both">>}]),
    ?assertEqual([<<"a">>, <<"b">>], twitter_reading:ids(Carol, ?FRIENDS)).

%%% Rosters here

%% The author's server thinks that she sees the author.
who_does_not_want_the_author_gets_nothing(Config) ->
    {Alice, Bob, Carol} = neighbours(Config),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    [begin
         ok = twitter_cases:set_contact(Config, Carol, twitter_remote:jid(Alice), Subscription),
         _ = twitter_client:sync(Carol),
         recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"Hello">>}]),
         ?assertEqual([], posts(Config, Carol)),
         ?assertEqual([], twitter_reading:ids(Carol, ?FRIENDS)),
         twitter_remote:single(Alice, Carol, [{item, <<"1">>, <<"Hello">>}]),
         ?assertEqual([], posts(Config, Carol))
     end || Subscription <- [from, none, remove]],
    ?assertEqual([<<"secret">>], twitter_reading:ids(Bob, ?FRIENDS)).

a_contact_removed_gets_nothing(Config) ->
    {Alice, Bob, Carol} = neighbours(Config),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"For both">>}]),
    _ = posts(Config, Carol),
    ok = twitter_users:remove_contact(Carol, twitter_remote:jid(Alice)),
    recorded = twitter_remote:relay(Alice, [{item, <<"1">>, <<"For both">>}, {retract, <<"secret">>}]),
    ?assertEqual([], posts(Config, Carol)),
    ?assertEqual([], twitter_reading:ids(Carol, ?FRIENDS)),
    twitter_secret:assert_hidden(Carol, twitter_remote:jid(Alice)).

who_was_removed_while_it_waited_gets_nothing(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, Carol} = neighbours(Config),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    Workers = twitter_inside:workers(Server, twitter_fanout),
    ok = twitter_inside:suspend(Server, Workers),
    recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"For both">>}]),
    ok = twitter_remote:audience(Alice, [Bob]),
    ok = twitter_inside:resume(Server, Workers),
    ?assertEqual([], posts(Config, Carol)),
    ?assertMatch([_], posts(Config, Bob)),
    ok = twitter_inside:suspend(Server, Workers),
    recorded = twitter_remote:relay(Alice, [{item, <<"1">>, <<"For Bob">>}]),
    ok = twitter_users:remove_contact(Bob, twitter_remote:jid(Alice)),
    ok = twitter_inside:resume(Server, Workers),
    ?assertEqual([], posts(Config, Bob)).

%%% Others

%% Bob's friends elsewhere read what he has posted, and nothing that he has heard.
readers_elsewhere_see_nothing(Config) ->
    {Alice, Bob, _Carol} = neighbours(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    Eve = twitter_remote:author(remote(Config), <<"eve">>),
    ok = twitter_cases:set_contact(Config, Bob, twitter_remote:jid(Eve), both),
    _ = twitter_requests:publish(Bob, <<"own">>, <<"Hello">>),
    learns_nothing_elsewhere(Eve, Alice, fun() ->
        recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"For Bob">>}])
    end),
    ?assertEqual([<<"own">>, <<"secret">>],
                 lists:sort([<<"own">> | twitter_reading:ids(Bob, ?FRIENDS)])).

the_author_sees_nothing_here(Config) ->
    {Alice, Bob, _Carol} = neighbours(Config),
    ok = twitter_cases:set_contact(Config, Bob, twitter_remote:jid(Alice), both),
    ok = twitter_remote:audience(Alice, [Bob]),
    learns_nothing_elsewhere(Alice, Alice, fun() ->
        recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"For Bob">>}])
    end).

learns_nothing_elsewhere(Reader, Author, Fun) ->
    Before = everything_elsewhere(Reader, Author),
    Fun(),
    ?assertEqual(Before, everything_elsewhere(Reader, Author)).

everything_elsewhere(Reader, Author) ->
    Jid = twitter_remote:jid(Author),
    Nodes = [<<"/twitter">>, <<"/twitter/MyStream">>, ?FRIENDS, <<"/twitter/MyFriends">>, <<"/twitter/FriendsStream/secret">>,
             <<"/twitter/MyStream/secret">>, <<"/twitter/MyFriends/", Jid/binary>>,
             <<"/twitter/MyFriends/", Jid/binary, "/secret">>, <<"/twitter/", Jid/binary, "/MyStream">>],
    [{Node, What, answer(twitter_elsewhere:request(twitter_remote:main(Reader), twitter_remote:jid(Reader), ?SERVICE,
                                                   {<<"get">>, Payload}))}
     || Node <- Nodes,
        {What, Payload} <- [{info, query(<<"http://jabber.org/protocol/disco#info">>, Node)},
                            {rows, query(<<"http://jabber.org/protocol/disco#items">>, Node)},
                            {items, [<<"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='">>, Node,
                                     <<"'/></pubsub>">>]},
                            {ids, [<<"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='">>, Node,
                                   <<"'><item id='secret'/></items></pubsub>">>]}]].

query(Namespace, Node) ->
    [<<"<query xmlns='">>, Namespace, <<"' node='">>, Node, <<"'/>">>].

answer(Answer) ->
    twitter_answers:anonymous(Answer, []).

nobody_reaches_the_stored_stream(Config) ->
    {Alice, Bob, Carol} = neighbours(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"For Bob">>}]),
    Jid = twitter_remote:jid(Alice),
    [twitter_secret:assert_alike(Reader, <<"/twitter/", Jid/binary, "/MyStream">>, <<"/twitter/nobody@", (twitter_remote:domain(Alice))/binary, "/MyStream">>)
     || Reader <- [Bob, Carol]].

%%% Accounts

a_user_of_that_name_sees_nothing_of_the_one_before(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, Carol} = neighbours(Config),
    {Name, Host} = User = twitter_cases:user(Carol),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"For both">>}]),
    ok = twitter_users:unregister(Server, User),
    User = twitter_users:register(Server, Name, Host),
    Again = twitter_users:login(Server, User),
    ok = twitter_cases:set_contact(Config, Again, twitter_remote:jid(Alice), both),
    _ = twitter_client:sync(Again),
    ?assertEqual([], twitter_reading:ids(Again, ?FRIENDS)),
    forget(Config, Alice),
    ?assertEqual([], twitter_reading:ids(Again, ?FRIENDS)),
    ?assertEqual([<<"secret">>], twitter_reading:ids(Bob, ?FRIENDS)),
    %% Whether she is among them now, the author's server has to say.
    ?assertEqual(unknown_audience, twitter_remote:relay_for(Alice, [Bob, twitter_users:jid(User)], [{item, <<"1">>, <<"New">>}])),
    ?assertEqual([], posts(Config, Again)),
    ok = twitter_remote:audience(Alice, [Bob, Again]),
    recorded = twitter_remote:relay(Alice, [{item, <<"1">>, <<"New">>}]),
    ?assertEqual([<<"1">>], twitter_reading:ids(Again, ?FRIENDS)).

%%% Crashes

%% Somebody was killed while he wrote the rows of an audience: some are new, and some are not.
while_rows_change_nothing_is_for_everybody(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, Carol} = neighbours(Config),
    ok = twitter_remote:audience(Alice, [Bob, Carol]),
    recorded = twitter_remote:relay(Alice, [{item, <<"a">>, <<"For both">>}]),
    Stream = #{audience := Audience} = twitter_server:call(Server, twitter_heard_store, open, [?SERVICE, twitter_remote:jid(Alice)]),
    Unsure = twitter_server:call(Server, twitter_nif, audience_unsure, [Audience]),
    ok = twitter_server:call(Server, twitter_heard_store, save, [Stream#{audience := Unsure}]),
    _ = posts(Config, Carol),
    ?assertEqual(unknown_audience, twitter_remote:relay(Alice, [{item, <<"b">>, <<"For both">>}])),
    learns_nothing(Config, Carol, Alice, fun() ->
        twitter_remote:single(Alice, Bob, [{item, <<"secret">>, <<"For Bob">>}])
    end),
    ?assertEqual([<<"a">>, <<"secret">>], twitter_reading:ids(Bob, ?FRIENDS)).

%% The index names a post, and before it is read there is another version, for somebody else.
what_is_read_from_storage_is_for_the_reader(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, Carol} = neighbours(Config),
    twitter_remote:single(Alice, Bob, [{item, <<"secret">>, <<"For Bob">>}]),
    ok = twitter_remote:sync(Alice),
    true = twitter_server:call(Server, code, add_patha, [filename:dirname(code:which(?MODULE))]),
    Read = fun(Reader) ->
        twitter_server:call(Server, ?MODULE, read, [?SERVICE, twitter_remote:jid(Alice), Reader, <<"secret">>])
    end,
    ?assertMatch([{_, #{payload := [_]}}], Read(twitter_client:bare(Bob))),
    ?assertEqual([gone], Read(twitter_client:bare(Carol))),
    ?assertEqual([gone], Read(none)).

read(Host, Author, Reader, Id) ->
    {ok, #{index := Index} = Service} = twitter_service:find(Host),
    twitter_index:read(Service, Reader, [{Author, Id, twitter_nif:version(Index, Author)}]).

a_stream_of_nobodys_friend_is_not_kept(Config) ->
    Server = twitter_cases:server(Config),
    Alice = twitter_remote:author(remote(Config), <<"alice">>),
    [Bob] = twitter_cases:strangers(Config, [<<"bob">>]),
    ?assertEqual(not_taken, twitter_remote:audience(Alice, [Bob])),
    ?assertEqual(unknown_audience, twitter_remote:relay(Alice, [{item, <<"a">>, <<"Buy this">>}])),
    twitter_remote:single(Alice, Bob, [{item, <<"a">>, <<"Buy this">>}]),
    ok = twitter_remote:sync(Alice),
    ?assertNot(lists:member(twitter_remote:jid(Alice), twitter_server:call(Server, twitter_store, all_authors, [?SERVICE]))).

%% What was heard of an author is no stream of a user of that name, if his domain comes to live here.
an_author_who_moves_in_begins_anew(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, _Carol} = neighbours(Config),
    ok = twitter_remote:audience(Alice, [Bob]),
    recorded = twitter_remote:relay(Alice, [{item, <<"secret">>, <<"For Bob">>}]),
    Author = twitter_remote:jid(Alice),
    Jid = twitter_server:call(Server, jid, decode, [Author]),
    ok = twitter_server:call(Server, twitter_store, ensure_node, [?SERVICE, Jid]),
    ?assertEqual([], twitter_server:call(Server, twitter_store, places, [?SERVICE, Author])).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

remote(Config) ->
    proplists:get_value(remote, Config).

neighbours(Config) ->
    Alice = twitter_remote:author(remote(Config), <<"alice">>),
    [Bob, Carol] = Readers = twitter_cases:strangers(Config, [<<"bob">>, <<"carol">>]),
    [ok = twitter_cases:set_contact(Config, Reader, twitter_remote:jid(Alice), both) || Reader <- Readers],
    _ = [twitter_client:sync(Reader) || Reader <- Readers],
    {Alice, Bob, Carol}.

posts(Config, Reader) ->
    ok = twitter_remote:sync(remote(Config)),
    twitter_events:posts(twitter_cases:server(Config), Reader).

%% Neither by what is sent nor by anything that can be asked, in memory or from storage; nor when the reader
%% comes back.
learns_nothing(Config, Reader, Author, Fun) ->
    Before = everything(Config, Reader, Author),
    _ = twitter_client:sync(Reader),
    Fun(),
    ok = twitter_remote:sync(remote(Config)),
    ?assertEqual([], [M || #xmlel{name = <<"message">>} = M <- twitter_client:sync(Reader)]),
    ?assertEqual(Before, everything(Config, Reader, Author)),
    forget(Config, Author),
    ?assertEqual(Before, everything(Config, Reader, Author)),
    Again = twitter_users:login(twitter_cases:server(Config), twitter_cases:user(Reader)),
    ?assertEqual([], twitter_events:posts(twitter_cases:server(Config), Again)),
    ok = twitter_client:close(Again).

everything(_Config, Reader, Author) ->
    Jid = twitter_remote:jid(Author),
    Nodes = [<<"/twitter">>, <<"/twitter/MyStream">>, ?FRIENDS, <<"/twitter/MyFriends">>, <<"/twitter/FriendsStream/secret">>,
             <<"/twitter/MyFriends/", Jid/binary>>, <<"/twitter/MyFriends/", Jid/binary, "/secret">>],
    [{Node, Name, answer(Ask(Reader, Node))}
     || Node <- Nodes, {Name, Ask} <- twitter_asks:all(), lists:member(Name, reads())].

reads() ->
    [info, rows, rows_page, items, items_max, items_ids, items_page, items_index, items_after, rows_before].

forget(Config, Author) ->
    twitter_cases:forget(Config, twitter_remote:jid(Author)).
