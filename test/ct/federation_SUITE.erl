%%% Friends on other servers, over real s2s: two servers with the plugin, and a stock one.
-module(federation_SUITE).

-include_lib("stdlib/include/assert.hrl").
-include_lib("fast_xml/include/fxml.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([
    no_server_knows_anothers_secret/1,
    strangers_become_friends/1,
    a_post_reaches_both_servers/1,
    it_goes_to_nobody_else/1,
    it_is_found_where_it_was_heard/1,
    edits_and_retractions_follow/1,
    what_is_edited_at_once_is_pushed/1,
    one_stanza_for_all_readers_of_a_server/1,
    each_reader_of_a_stock_server_gets_it_once/1,
    who_is_blocked_finds_nothing/1,
    who_is_blocked_later_loses_what_he_had/1,
    who_was_removed_loses_what_he_had/1,
    nobody_there_wants_it/1,
    both_sides_post/1,
    the_authors_server_is_browsed_from_elsewhere/1,
    a_reader_from_elsewhere_publishes_nothing/1,
    a_reader_from_elsewhere_loses_it_at_once/1,
    another_server_says_that_it_is_hers/1,
    another_server_uses_her_services_name/1,
    another_server_relays_her_posts/1,
    it_survives_a_restart/1,
    no_error_was_logged/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(MY_FRIENDS, <<"/twitter/MyFriends">>).
-define(NS_RELAY, <<"urn:ejabberd:twitter:relay:0">>).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [
        no_server_knows_anothers_secret,
        strangers_become_friends,
        a_post_reaches_both_servers,
        it_goes_to_nobody_else,
        it_is_found_where_it_was_heard,
        edits_and_retractions_follow,
        what_is_edited_at_once_is_pushed,
        one_stanza_for_all_readers_of_a_server,
        each_reader_of_a_stock_server_gets_it_once,
        who_is_blocked_finds_nothing,
        who_is_blocked_later_loses_what_he_had,
        who_was_removed_loses_what_he_had,
        nobody_there_wants_it,
        both_sides_post,
        the_authors_server_is_browsed_from_elsewhere,
        a_reader_from_elsewhere_publishes_nothing,
        a_reader_from_elsewhere_loses_it_at_once,
        another_server_says_that_it_is_hers,
        another_server_uses_her_services_name,
        another_server_relays_her_posts,
        it_survives_a_restart,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(xmpp),
    twitter_federation:start(Config, #{a => #{}, b => #{}, c => twitter_federation:stock()}).

end_per_suite(Config) ->
    twitter_federation:stop(Config).

%%% From one server to another

%% Or the cases of forgery would prove nothing.
no_server_knows_anothers_secret(Config) ->
    twitter_federation:different_secrets(Config).

strangers_become_friends(Config) ->
    [Alice, Bob, Carol] = [client(Config, Name, User) || {Name, User} <- [{a, <<"alice">>}, {b, <<"bob">>}, {c, <<"carol">>}]],
    ok = twitter_users:befriend(Alice, Bob),
    ok = twitter_users:befriend(Alice, Carol),
    <<"a">> = twitter_requests:publish(Alice, <<"a">>, <<"Hello">>),
    [?assertMatch([{item, _, <<"a">>, _}], twitter_federation:posts(Config, a, Reader)) || Reader <- [Bob, Carol]].

%% In the form that users see on the author's own server.
a_post_reaches_both_servers(Config) ->
    {Alice, [Bob, Carol]} = friends(Config, [{b, <<"bob">>}, {c, <<"carol">>}]),
    Phone = twitter_federation:login(Config, twitter_cases:user(Bob), #{resource => <<"phone">>}),
    <<"4B2C8277256F">> = twitter_requests:publish(Alice, <<"4B2C8277256F">>, <<"Demoing my Twitter-like code">>),
    Author = twitter_client:bare(Alice),
    lists:foreach(fun(Reader) ->
        [Message] = twitter_federation:received(Config, a, Reader),
        ?assertEqual(
            canonical(fxml_stream:parse_element(iolist_to_binary([
                <<"<message from='pubsub.a.test' to='">>, twitter_client:bare(Reader), <<"' type='headline'>">>,
                <<"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='/twitter/FriendsStream'>">>,
                <<"<item id='4B2C8277256F' publisher='">>, Author, <<"'>Demoing my Twitter-like code</item></items></event>">>,
                <<"<body>">>, Author, <<": Demoing my Twitter-like code</body></message>">>
            ]))),
            canonical(Message)
        )
    end, [Bob, Phone, Carol]).

%% What servers tell each other beside it is no part of it.
canonical(#xmlel{attrs = Attrs, children = Children}) ->
    {lists:sort([Attr || {Name, _} = Attr <- Attrs, not lists:member(Name, [<<"xmlns">>, <<"xml:lang">>, <<"id">>])]),
     [Child || #xmlel{} = Child <- Children, fxml:get_tag_attr_s(<<"xmlns">>, Child) =/= ?NS_RELAY]}.

it_goes_to_nobody_else(Config) ->
    {Alice, [Bob, Carol]} = friends(Config, [{b, <<"bob">>}, {c, <<"carol">>}]),
    Author = twitter_cases:user(Alice),
    Others = lists:append([
        [{Name, stranger, client(Config, Name, <<"stranger">>)},
         {Name, seen, client(Config, Name, <<"seen">>)},
         {Name, removed, client(Config, Name, <<"removed">>)},
         {Name, blocked, client(Config, Name, <<"blocked">>)}]
     || Name <- [b, c]]),
    lists:foreach(fun({_, Kind, Client}) ->
        Contact = twitter_cases:user(Client),
        %% Whatever they say of her.
        ok = twitter_federation:set_contact(Config, Contact, Author, both),
        case Kind of
            stranger -> ok;
            seen -> ok = twitter_federation:set_contact(Config, Author, Contact, to);
            removed ->
                ok = twitter_federation:set_contact(Config, Author, Contact, both),
                ok = twitter_users:remove_contact(Alice, twitter_users:jid(Contact));
            blocked ->
                ok = twitter_federation:set_contact(Config, Author, Contact, both),
                ok = twitter_users:block(Alice, twitter_users:jid(Contact))
        end,
        ok = twitter_federation:set_contact(Config, Contact, Author, both)
    end, Others),
    <<"secret">> = twitter_requests:publish(Alice, <<"secret">>, <<"For friends">>),
    [?assertMatch([{item, _, <<"secret">>, _}], twitter_federation:posts(Config, a, Reader)) || Reader <- [Bob, Carol]],
    [?assertEqual({Name, Kind, []}, {Name, Kind, twitter_federation:posts(Config, a, Client)}) || {Name, Kind, Client} <- Others],
    [finds_nothing(Client, Alice, <<"secret">>) || {b, _, Client} <- Others],
    ok = twitter_requests:retract(Alice, <<"secret">>),
    [?assertEqual({Name, Kind, []}, {Name, Kind, twitter_federation:posts(Config, a, Client)}) || {Name, Kind, Client} <- Others].

it_is_found_where_it_was_heard(Config) ->
    {Alice, [Bob]} = friends(Config, [{b, <<"bob">>}]),
    Author = twitter_client:bare(Alice),
    ?assertEqual([], twitter_reading:posts(Bob, of_friend(Alice))),
    Posts = publish(Alice, [<<"1">>, <<"2">>, <<"3">>]),
    ok = twitter_federation:settle(Config, a, Bob),
    [?assertEqual(Posts, twitter_reading:posts(Bob, Node)) || Node <- [?FRIENDS, of_friend(Alice)]],
    [?assertEqual(Posts, lists:append(twitter_reading:pages(Bob, Node, {forward, 2}))) || Node <- [?FRIENDS, of_friend(Alice)]],
    ?assertEqual([{Author, <<"2">>, <<"Post 2">>}], twitter_reading:entries(Bob, <<(of_friend(Alice))/binary, "/2">>)),
    ?assertEqual([{of_friend(Alice), Author}], twitter_reading:rows(Bob, ?MY_FRIENDS)).

edits_and_retractions_follow(Config) ->
    {Alice, [Bob, Carol]} = friends(Config, [{b, <<"bob">>}, {c, <<"carol">>}]),
    Author = twitter_client:bare(Alice),
    _ = publish(Alice, [<<"1">>, <<"2">>, <<"3">>]),
    [_, _, _] = twitter_federation:posts(Config, a, Bob),
    [_, _, _] = twitter_federation:posts(Config, a, Carol),
    <<"1">> = twitter_requests:publish(Alice, <<"1">>, <<"Better">>),
    [?assertEqual([{item, Author, <<"1">>, [{xmlcdata, <<"Better">>}]}], twitter_federation:posts(Config, a, Reader)) || Reader <- [Bob, Carol]],
    ok = twitter_requests:retract(Alice, <<"2">>),
    [?assertEqual([{retract, Author, <<"2">>}], twitter_federation:posts(Config, a, Reader)) || Reader <- [Bob, Carol]],
    [?assertEqual([{Author, <<"1">>, <<"Better">>}, {Author, <<"3">>, <<"Post 3">>}], twitter_reading:entries(Bob, Node))
     || Node <- [?FRIENDS, of_friend(Alice)]],
    ok = twitter_requests:purge(Alice),
    ok = twitter_federation:settle(Config, a, Bob),
    ?assertEqual([], twitter_reading:entries(Bob, ?FRIENDS)).

%% A server that is told of the edit first finds that it has missed something. What comes after that has to be pushed all
%% the same.
what_is_edited_at_once_is_pushed(Config) ->
    {Alice, Readers} = friends(Config, [{b, <<"bob">>}, {c, <<"carol">>}]),
    Author = twitter_client:bare(Alice),
    Ids = [integer_to_binary(Number) || Number <- lists:seq(1, 20)],
    [begin
        _ = twitter_requests:publish(Alice, Id, <<"Frist">>),
        _ = twitter_requests:publish(Alice, Id, <<"First">>),
        _ = twitter_requests:publish(Alice, <<Id/binary, "x">>, <<"Gone">>),
        ok = twitter_requests:retract(Alice, <<Id/binary, "x">>)
    end || Id <- Ids],
    [begin
        Pushed = twitter_federation:posts(Config, a, Reader),
        ?assertEqual([], Ids -- [Id || {item, Of, Id, [{xmlcdata, <<"First">>}]} <- Pushed, Of =:= Author])
    end || Reader <- Readers],
    ?assertEqual([{Author, Id, <<"First">>} || Id <- Ids], twitter_reading:entries(hd(Readers), ?FRIENDS)).

one_stanza_for_all_readers_of_a_server(Config) ->
    {Alice, Readers} = friends(Config, [{b, <<"bob">>}, {b, <<"bea">>}, {b, <<"ben">>}]),
    <<"1">> = twitter_requests:publish(Alice, <<"1">>, <<"First">>),
    [?assertMatch([_], twitter_federation:posts(Config, a, Reader)) || Reader <- Readers],
    _ = carried(Config, a, b),
    <<"2">> = twitter_requests:publish(Alice, <<"2">>, <<"Second">>),
    [?assertMatch([{item, _, <<"2">>, _}], twitter_federation:posts(Config, a, Reader)) || Reader <- Readers],
    ?assertMatch([#xmlel{name = <<"iq">>, children = [#xmlel{name = <<"relay">>}]}], carried(Config, a, b)).

each_reader_of_a_stock_server_gets_it_once(Config) ->
    {Alice, Readers} = friends(Config, [{c, <<"carol">>}, {c, <<"cleo">>}]),
    _ = carried(Config, a, c),
    <<"1">> = twitter_requests:publish(Alice, <<"1">>, <<"First">>),
    [?assertMatch([_], twitter_federation:posts(Config, a, Reader)) || Reader <- Readers],
    Told = [fxml:get_tag_attr_s(<<"to">>, Stanza) || Stanza <- carried(Config, a, c), (twitter_events:is_event())(Stanza)],
    ?assertEqual(lists:sort([twitter_client:bare(Reader) || Reader <- Readers]), lists:sort(Told)).

%% His roster has her no more, hers still has him: his server does not take what is for nobody else. He gets all when he
%% is back.
nobody_there_wants_it(Config) ->
    {Alice, [Bob]} = friends(Config, [{b, <<"bob">>}]),
    [Author, Reader] = [twitter_cases:user(Client) || Client <- [Alice, Bob]],
    ok = twitter_federation:set_contact(Config, Reader, Author, remove),
    %% Her server is told, and follows.
    #xmlel{} = twitter_client:expect(Alice, is_without(twitter_client:bare(Bob))),
    ok = twitter_federation:set_contact(Config, Author, Reader, both),
    Before = publish(Alice, [<<"1">>]),
    ?assertEqual([], twitter_federation:posts(Config, a, Bob)),
    ?assertEqual([], twitter_reading:posts(Bob, ?FRIENDS)),
    ok = twitter_federation:set_contact(Config, Reader, Author, both),
    After = publish(Alice, [<<"2">>]),
    ?assertMatch([{item, _, <<"2">>, _}], twitter_federation:posts(Config, a, Bob)),
    ok = twitter_federation:settle(Config, a, Bob),
    ?assertEqual(Before ++ After, twitter_reading:posts(Bob, ?FRIENDS)).

%% A roster push about a contact who shares nothing any more.
is_without(Contact) ->
    fun(Stanza) ->
        case fxml:get_path_s(Stanza, [{elem, <<"query">>}, {elem, <<"item">>}]) of
            #xmlel{} = Item ->
                fxml:get_tag_attr_s(<<"jid">>, Item) =:= Contact andalso
                    fxml:get_tag_attr_s(<<"subscription">>, Item) =:= <<"none">>;
            _ ->
                false
        end
    end.

both_sides_post(Config) ->
    {Alice, [Bob]} = friends(Config, [{b, <<"bob">>}]),
    Posts = lists:append([publish(Author, [Id]) || Id <- [<<"1">>, <<"2">>, <<"3">>], Author <- [Alice, Bob]]),
    ok = twitter_federation:settle(Config, a, Bob),
    ok = twitter_federation:settle(Config, b, Alice),
    [?assertEqual([Post || {Author, _} = Post <- Posts, Author =:= twitter_client:bare(Friend)], twitter_reading:posts(Reader, ?FRIENDS))
     || {Reader, Friend} <- [{Alice, Bob}, {Bob, Alice}]],
    %% Whoever watches both sees them in the order in which they were published.
    Dave = client(Config, b, <<"dave">>),
    [ok = twitter_federation:befriend(Config, twitter_cases:user(Dave), twitter_cases:user(Friend)) || Friend <- [Alice, Bob]],
    Mixed = lists:append([publish(Author, [Id]) || Id <- [<<"4">>, <<"5">>], Author <- [Bob, Alice]]),
    ok = twitter_federation:settle(Config, a, Dave),
    ?assertEqual(Mixed, [Post || {_, Id} = Post <- twitter_reading:posts(Dave, ?FRIENDS), lists:member(Id, [<<"4">>, <<"5">>])]).

%%% A neighbour has the post, this one may not

who_is_blocked_finds_nothing(Config) ->
    {Alice, [Bob, Dave]} = friends(Config, [{b, <<"bob">>}, {b, <<"dave">>}]),
    ok = twitter_users:block(Alice, twitter_client:bare(Dave)),
    <<"secret">> = twitter_requests:publish(Alice, <<"secret">>, <<"Not for Dave">>),
    ?assertMatch([{item, _, <<"secret">>, _}], twitter_federation:posts(Config, a, Bob)),
    <<"secret">> = twitter_requests:publish(Alice, <<"secret">>, <<"Still not for Dave">>),
    ?assertMatch([{item, _, <<"secret">>, _}], twitter_federation:posts(Config, a, Bob)),
    ?assertEqual([], twitter_federation:posts(Config, a, Dave)),
    finds_nothing(Dave, Alice, <<"secret">>),
    ?assertEqual([<<"secret">>], twitter_reading:ids(Bob, ?FRIENDS)).

who_is_blocked_later_loses_what_he_had(Config) ->
    {Alice, [Bob, Dave]} = friends(Config, [{b, <<"bob">>}, {b, <<"dave">>}]),
    <<"early">> = twitter_requests:publish(Alice, <<"early">>, <<"For both">>),
    [?assertMatch([_], twitter_federation:posts(Config, a, Reader)) || Reader <- [Bob, Dave]],
    ok = twitter_users:block(Alice, twitter_client:bare(Dave)),
    <<"late">> = twitter_requests:publish(Alice, <<"late">>, <<"For Bob">>),
    ?assertMatch([{item, _, <<"late">>, _}], twitter_federation:posts(Config, a, Bob)),
    ?assertEqual([], twitter_federation:posts(Config, a, Dave)),
    [finds_nothing(Dave, Alice, Id) || Id <- [<<"early">>, <<"late">>]],
    ?assertEqual([<<"early">>, <<"late">>], twitter_reading:ids(Bob, ?FRIENDS)),
    ok = twitter_users:unblock(Alice, twitter_client:bare(Dave)),
    <<"again">> = twitter_requests:publish(Alice, <<"again">>, <<"For both">>),
    ?assertMatch([{item, _, <<"again">>, _}], twitter_federation:posts(Config, a, Dave)),
    finds_nothing_by_id(Dave, Alice, <<"late">>).

who_was_removed_loses_what_he_had(Config) ->
    {Alice, [Bob, Dave]} = friends(Config, [{b, <<"bob">>}, {b, <<"dave">>}]),
    <<"early">> = twitter_requests:publish(Alice, <<"early">>, <<"For both">>),
    [?assertMatch([_], twitter_federation:posts(Config, a, Reader)) || Reader <- [Bob, Dave]],
    %% His server is told, as by any client.
    ok = twitter_users:remove_contact(Alice, twitter_client:bare(Dave)),
    <<"late">> = twitter_requests:publish(Alice, <<"late">>, <<"For Bob">>),
    ?assertMatch([{item, _, <<"late">>, _}], twitter_federation:posts(Config, a, Bob)),
    ?assertEqual([], twitter_federation:posts(Config, a, Dave)),
    [finds_nothing(Dave, Alice, Id) || Id <- [<<"early">>, <<"late">>]].

%%% A reader from another server at the author's

the_authors_server_is_browsed_from_elsewhere(Config) ->
    {Alice, [Bob, Carol]} = friends(Config, [{b, <<"bob">>}, {c, <<"carol">>}]),
    Ids = [integer_to_binary(Number) || Number <- lists:seq(1, 7)],
    Posts = publish(Alice, Ids),
    Author = twitter_client:bare(Alice),
    [begin
        Place = {Reader, twitter_federation:service(a)},
        ?assert(lists:keymember(<<"/twitter">>, 1, twitter_reading:rows(Place, <<>>))),
        ?assertEqual([<<"/twitter/FriendsStream">>, <<"/twitter/MyFriends">>, <<"/twitter/MyStream">>],
                     lists:sort([Node || {Node, _} <- twitter_reading:rows(Place, <<"/twitter">>)])),
        ?assertEqual([{of_friend(Alice), Author}], twitter_reading:rows(Place, ?MY_FRIENDS)),
        [begin
            ?assertEqual(Posts, twitter_reading:posts(Place, Node)),
            ?assertEqual(Posts, lists:append(twitter_reading:pages(Place, Node, {forward, 3}))),
            ?assertEqual(Posts, lists:append(lists:reverse(twitter_reading:pages(Place, Node, {backward, 3})))),
            ?assertEqual(7, length(twitter_reading:rows(Place, Node))),
            ?assertEqual([{Author, <<"4">>, <<"Post 4">>}], twitter_reading:entries(Place, <<Node/binary, "/4">>))
        end || Node <- [?FRIENDS, of_friend(Alice)]]
    end || Reader <- [Bob, Carol]].

a_reader_from_elsewhere_publishes_nothing(Config) ->
    {Alice, [Bob]} = friends(Config, [{b, <<"bob">>}]),
    Place = {Bob, twitter_federation:service(a)},
    Publish = <<"<publish node='/twitter/MyStream'><item id='x'>Let me in</item></publish>">>,
    Answer = twitter_requests:pubsub(Place, set, fxml_stream:parse_element(Publish)),
    ?assertEqual(<<"not-allowed">>, twitter_answers:refusal(Answer)),
    ?assertNotEqual(<<>>, twitter_answers:error_text(Answer)),
    ?assertEqual([], twitter_federation:posts(Config, b, Alice)).

a_reader_from_elsewhere_loses_it_at_once(Config) ->
    Take = [
        fun(Alice, Reader) -> twitter_users:remove_contact(Alice, twitter_client:bare(Reader)) end,
        fun(Alice, Reader) -> twitter_users:block(Alice, twitter_client:bare(Reader)) end,
        fun(Alice, Reader) ->
            twitter_federation:set_contact(Config, twitter_cases:user(Alice), twitter_cases:user(Reader), to)
        end
    ],
    [begin
        {Alice, [Reader]} = friends(Config, [{Name, <<"reader">>}]),
        _ = publish(Alice, [<<"secret">>]),
        Place = {Reader, twitter_federation:service(a)},
        ?assertEqual([<<"secret">>], twitter_reading:ids(Place, of_friend(Alice))),
        ok = TakeAway(Alice, Reader),
        ?assertEqual([], twitter_reading:rows(Place, ?MY_FRIENDS)),
        ?assertEqual([], twitter_reading:ids(Place, ?FRIENDS)),
        ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(twitter_requests:items(Place, of_friend(Alice)))),
        ?assertEqual(<<"item-not-found">>,
                     twitter_answers:refusal(twitter_requests:items(Place, <<(of_friend(Alice))/binary, "/secret">>)))
    end || Name <- [b, c], TakeAway <- Take].

%%% Forgeries, over the real thing

another_server_says_that_it_is_hers(Config) ->
    nothing_changes(Config, fun(Alice, Bob) ->
        [ok = twitter_federation:route(Config, c, event(From, Alice, Bob, Entry))
         || From <- [<<"pubsub.c.test">>, <<"c.test">>, <<"carol@c.test">>, twitter_client:bare(Alice)],
            Entry <- entries(Alice)]
    end).

another_server_uses_her_services_name(Config) ->
    nothing_changes(Config, fun(Alice, Bob) ->
        [ok = twitter_federation:route(Config, c, event(From, Alice, Bob, Entry))
         || From <- [<<"pubsub.a.test">>, <<"a.test">>, <<"x.pubsub.a.test">>], Entry <- entries(Alice)]
    end).

another_server_relays_her_posts(Config) ->
    nothing_changes(Config, fun(Alice, Bob) ->
        Author = twitter_client:bare(Alice),
        Now = erlang:system_time(microsecond),
        {Digest, Parts} = twitter_relay:audience(Author, [twitter_client:bare(Bob)]),
        Relay = twitter_relay:relay(#{author => Author, audience => Digest, sent => Now, quiet => false,
                                      changes => [{item, <<"forged">>, Now, Now, twitter_post:payload([{xmlcdata, <<"Forged">>}])},
                                                  {retract, <<"true">>, Now + 1}, {purge, Now + 2}]}),
        [ok = twitter_federation:route(Config, c, #xmlel{
            name = <<"iq">>,
            attrs = [{<<"type">>, <<"set">>}, {<<"id">>, <<"forged">>}, {<<"from">>, From}, {<<"to">>, <<"pubsub.b.test">>}],
            children = [Payload]
        }) || From <- [<<"pubsub.c.test">>, <<"c.test">>, <<"pubsub.a.test">>, <<"a.test">>], Payload <- Parts ++ [Relay]]
    end).

entries(Alice) ->
    Author = twitter_client:bare(Alice),
    [[<<"<item id='forged' publisher='">>, Author, <<"'>Forged</item>">>],
     [<<"<item id='true' publisher='">>, Author, <<"'>Changed</item>">>],
     [<<"<retract id='true' publisher='">>, Author, <<"'/>">>]].

event(From, _Alice, Bob, Entry) ->
    iolist_to_binary([
        <<"<message type='headline' from='">>, From, <<"' to='">>, twitter_client:bare(Bob), <<"'>">>,
        <<"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='/twitter/FriendsStream'>">>, Entry,
        <<"</items></event></message>">>
    ]).

nothing_changes(Config, Forge) ->
    {Alice, [Bob]} = friends(Config, [{b, <<"bob">>}]),
    %% The forger is somebody whom the server hears every day.
    Carol = client(Config, c, <<"carol">>),
    ok = twitter_federation:befriend(Config, twitter_cases:user(Carol), twitter_cases:user(Bob)),
    _ = publish(Alice, [<<"true">>]),
    [_] = twitter_federation:posts(Config, a, Bob),
    Before = twitter_reading:entries(Bob, ?FRIENDS),
    Forge(Alice, Bob),
    ?assertEqual([], twitter_federation:posts(Config, c, Bob)),
    ?assertEqual(Before, twitter_reading:entries(Bob, ?FRIENDS)),
    ?assertEqual(Before, twitter_reading:entries(Bob, of_friend(Alice))),
    %% And what she says herself still comes.
    <<"next">> = twitter_requests:publish(Alice, <<"next">>, <<"Next">>),
    ?assertMatch([{item, _, <<"next">>, _}], twitter_federation:posts(Config, a, Bob)).

%%% The end

it_survives_a_restart(Config) ->
    {Alice, [Bob]} = friends(Config, [{b, <<"bob">>}]),
    Posts = publish(Alice, [<<"1">>, <<"2">>]),
    ok = twitter_federation:settle(Config, a, Bob),
    User = twitter_cases:user(Bob),
    ok = twitter_client:close(Bob),
    ok = twitter_server:restart(twitter_federation:server(Config, b)),
    Again = twitter_federation:login(Config, User),
    [?assertEqual(Posts, twitter_reading:posts(Again, Node)) || Node <- [?FRIENDS, of_friend(Alice)]],
    More = publish(Alice, [<<"3">>]),
    #xmlel{} = twitter_federation:await(Again, <<"3">>, 20_000),
    ?assertEqual(Posts ++ More, twitter_reading:posts(Again, ?FRIENDS)).

no_error_was_logged(Config) ->
    [ok = twitter_cases:no_error_was_logged([{server, twitter_federation:server(Config, Name)}]) || Name <- [a, b]],
    ok.

%%% Helpers

client(Config, Name, User) ->
    twitter_federation:login(Config, twitter_federation:user(Config, Name, User)).

%% Alice, and friends of hers elsewhere.
friends(Config, Wanted) ->
    Alice = client(Config, a, <<"alice">>),
    Readers = [client(Config, Name, User) || {Name, User} <- Wanted],
    [ok = twitter_federation:befriend(Config, twitter_cases:user(Alice), twitter_cases:user(Reader)) || Reader <- Readers],
    {Alice, Readers}.

publish(Author, Ids) ->
    twitter_requests:publish_all(Author, Ids).

of_friend(Client) ->
    <<"/twitter/MyFriends/", (twitter_client:bare(Client))/binary>>.

%% Requests and messages that carry posts.
carried(Config, From, To) ->
    [Stanza || Stanza <- twitter_cable:carried(twitter_federation:cable(Config, From, To)),
               (twitter_events:is_event())(Stanza) orelse fxml:get_tag_attr_s(<<"type">>, Stanza) =:= <<"set">>].

finds_nothing(Reader, Author, Id) ->
    [begin
        ?assertEqual({[], none}, {Posts, maps:get(last, Page, none)}),
        ?assertEqual(0, maps:get(count, Page, 0))
    end || Node <- streams(Reader, Author), {Posts, Page} <- [twitter_reading:page(Reader, Node, #{max => 10})]],
    [?assertEqual([], twitter_reading:rows(Reader, Node)) || Node <- streams(Reader, Author)],
    finds_nothing_by_id(Reader, Author, Id).

%% As if there had never been such a post.
finds_nothing_by_id(Reader, Author, Id) ->
    [begin
        ?assertEqual(
            {twitter_answers:refusal(Ask(Reader, <<Node/binary, "/never">>))},
            {twitter_answers:refusal(Ask(Reader, <<Node/binary, "/", Id/binary>>))}
        ),
        ?assertEqual(by_id(Reader, Node, <<"never">>), by_id(Reader, Node, Id))
    end || Node <- streams(Reader, Author),
           Ask <- [fun twitter_requests:items/2, fun twitter_requests:rows/2, fun twitter_requests:info/2]].

by_id(Reader, Node, Id) ->
    Answer = twitter_requests:items(Reader, Node, #{ids => [Id]}),
    case twitter_answers:refusal(Answer) of
        none -> twitter_answers:posts(Answer);
        Condition -> Condition
    end.

%% Whoever is no friend of hers by his own roster has no such node.
streams(Reader, Author) ->
    Node = of_friend(Author),
    [?FRIENDS | [Node || twitter_answers:refusal(twitter_requests:items(Reader, Node)) =:= none]].
