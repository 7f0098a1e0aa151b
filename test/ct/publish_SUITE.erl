%%% Publishing: what is taken, what is refused and how, edits, retractions, purges. A refused request
%%% changes nothing and reaches nobody.
-module(publish_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    the_stanza_of_2008/1,
    payloads_come_back_as_published/1,
    an_edit_keeps_its_place/1,
    generated_ids_differ/1,
    two_clients_at_once_lose_nothing/1,
    first_posts_of_many_at_once/1,
    a_retracted_post_is_gone/1,
    a_purged_stream_is_empty/1,
    refused_items/1,
    refused_nodes/1,
    nobody_else_writes_to_a_stream/1,
    a_user_of_another_vhost_cannot_publish/1,
    an_anonymous_user_cannot_publish/1,
    subscribing_is_not_needed/1,
    the_tree_is_fixed/1,
    no_error_was_logged/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(NS_ERRORS, <<"http://jabber.org/protocol/pubsub#errors">>).

all() ->
    [{group, publish}, no_error_was_logged].

groups() ->
    [
        {publish, [parallel], [
            the_stanza_of_2008,
            payloads_come_back_as_published,
            an_edit_keeps_its_place,
            generated_ids_differ,
            two_clients_at_once_lose_nothing,
            first_posts_of_many_at_once,
            a_retracted_post_is_gone,
            a_purged_stream_is_empty,
            refused_items,
            refused_nodes,
            nobody_else_writes_to_a_stream,
            a_user_of_another_vhost_cannot_publish,
            an_anonymous_user_cannot_publish,
            subscribing_is_not_needed,
            the_tree_is_fixed
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{
                hosts => [<<"localhost">>, <<"other.localhost">>, <<"anon.localhost">>],
        twitter => #{max_post_size => 1000},
        options => #{
            host_config => #{<<"anon.localhost">> => #{auth_method => [anonymous], allow_multiple_connections => true}}
        }
    }).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% What is taken

%% As the article has it: no id, bare text, which XEP-0060 does not allow.
the_stanza_of_2008(Config) ->
    Alice = fresh(Config, <<"alice">>),
    Answer = twitter_client:request(Alice, [
        <<"<iq type='set' to='pubsub.localhost'>">>,
        <<"<pubsub xmlns='http://jabber.org/protocol/pubsub'>">>,
        <<"<publish node='/twitter/MyStream'><item>Demoing my Twitter-like code</item></publish>">>,
        <<"</pubsub></iq>">>
    ]),
    Path = [{elem, <<"pubsub">>}, {elem, <<"publish">>}],
    Publish = fxml:get_path_s(twitter_answers:result(Answer), Path),
    ?assertEqual(?MINE, fxml:get_tag_attr_s(<<"node">>, Publish)),
    Id = fxml:get_path_s(Publish, [{elem, <<"item">>}, {attr, <<"id">>}]),
    ?assertNotEqual(<<>>, Id),
    Mine = twitter_requests:items(Alice, ?MINE),
    ?assertEqual([{twitter_client:bare(Alice), Id}], twitter_answers:posts(Mine)),
    ?assertEqual([[{xmlcdata, <<"Demoing my Twitter-like code">>}]], twitter_answers:payloads(Mine)).

payloads_come_back_as_published(Config) ->
    {Alice, Bob} = friends(Config),
    Payloads = [
        <<"  blanks around  ">>,
        <<"a < b & c > d ]]> <b>no markup</b> \"quotes\" 'too'">>,
        <<"two\nlines\tand a tab">>,
        <<"snow ☃ and \x{1F600}"/utf8>>,
        parse(<<"<entry xmlns='http://www.w3.org/2005/Atom'><title>Hi</title><id>tag:x</id></entry>">>),
        parse(<<"<geoloc xmlns='http://jabber.org/protocol/geoloc'><lat>1.5</lat></geoloc>">>),
        parse(<<"<a xmlns='urn:a'><b xmlns='urn:b' c='d &amp; e'/>mixed</a>">>),
        parse(<<"<payload xmlns='urn:ejabberd:twitter:payload'>not yours</payload>">>)
    ],
    [_ = twitter_requests:publish(Alice, Payload) || Payload <- Payloads],
    Expected = [
        case Payload of
            #xmlel{} -> [Payload];
            Text -> [{xmlcdata, Text}]
        end
     || Payload <- Payloads
    ],
    ?assertEqual(Expected, twitter_reading:payloads(Alice, ?MINE)),
    ?assertEqual(Expected, twitter_reading:payloads(Bob, ?FRIENDS)),
    ?assertEqual(Expected, [Content || {item, _, _, Content} <- twitter_events:posts(twitter_cases:server(Config), Bob)]).

an_edit_keeps_its_place(Config) ->
    {Alice, Bob} = friends(Config),
    _ = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>, <<"c">>]),
    <<"b">> = twitter_requests:publish(Alice, <<"b">>, <<"edited">>),
    Read = twitter_requests:items(Bob, ?FRIENDS),
    ?assertEqual([<<"a">>, <<"b">>, <<"c">>], twitter_answers:ids(Read)),
    ?assertMatch([_, [{xmlcdata, <<"edited">>}], _], twitter_answers:payloads(Read)).

generated_ids_differ(Config) ->
    Alice = fresh(Config, <<"alice">>),
    Ids = [twitter_requests:publish(Alice, <<"again">>) || _ <- lists:seq(1, 40)],
    ?assertEqual(Ids, twitter_reading:ids(Alice, ?MINE)).

%% Two clients of one author write at the same time; each post can be found and deleted.
two_clients_at_once_lose_nothing(Config) ->
    Alice = fresh(Config, <<"alice">>),
    Ids = twitter_cases:together([
        fun() ->
            Client = twitter_users:login(twitter_cases:server(Config), user(Alice)),
            [twitter_requests:publish(Client, <<"at once">>) || _ <- lists:seq(1, 20)]
        end
     || _ <- [desk, phone]
    ]),
    Read = twitter_reading:ids(Alice, ?MINE),
    ?assertEqual(lists:sort(lists:append(Ids)), lists:sort(Read)),
    [ok = twitter_requests:retract(Alice, Id) || Id <- Read],
    ?assertEqual([], twitter_reading:ids(Alice, ?MINE)).

%% The stored nodes of all of them are made at the same moment.
first_posts_of_many_at_once(Config) ->
    Ids = twitter_cases:together([
        fun() ->
            Client = fresh(Config, <<"alice">>),
            Id = twitter_requests:publish(Client, <<"First!">>),
            [Id] = twitter_reading:ids(Client, ?MINE),
            Id
        end
     || _ <- lists:seq(1, 20)
    ]),
    ?assertEqual(20, length(lists:usort(Ids))).

a_retracted_post_is_gone(Config) ->
    {Alice, Bob} = friends(Config),
    _ = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>]),
    ok = twitter_requests:retract(Alice, <<"a">>),
    ?assertEqual([<<"b">>], twitter_reading:ids(Alice, ?MINE)),
    ?assertEqual([<<"b">>], twitter_reading:ids(Bob, ?FRIENDS)),
    Again = twitter_requests:pubsub(Alice, set, [retraction(?MINE, [<<"a">>])]),
    ?assertEqual(<<"item-not-found">>, condition(Again)),
    %% Published anew, it is a new post.
    <<"a">> = twitter_requests:publish(Alice, <<"a">>, <<"anew">>),
    ?assertEqual([<<"b">>, <<"a">>], twitter_reading:ids(Bob, ?FRIENDS)).

a_purged_stream_is_empty(Config) ->
    {Alice, Bob} = friends(Config),
    _ = twitter_answers:result(purge(Alice, ?MINE)),
    _ = twitter_requests:publish(Bob, <<"mine">>, <<"Bob's own">>),
    _ = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>]),
    _ = twitter_answers:result(purge(Alice, ?MINE)),
    ?assertEqual([], twitter_reading:ids(Alice, ?MINE)),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([<<"mine">>], twitter_reading:ids(Alice, ?FRIENDS)),
    <<"c">> = twitter_requests:publish(Alice, <<"c">>, <<"a new start">>),
    ?assertEqual([<<"c">>], twitter_reading:ids(Bob, ?FRIENDS)).

%%% What is refused

refused_items(Config) ->
    {Alice, Bob} = friends(Config),
    _ = twitter_requests:publish(Alice, <<"kept">>, <<"Nothing is lost">>),
    _ = twitter_events:posts(twitter_cases:server(Config), Bob),
    Deep = [binary:copy(<<"<a>">>, 100), binary:copy(<<"</a>">>, 100)],
    Big = binary:copy(<<"x">>, 1001),
    LongId = binary:copy(<<"i">>, 1024),
    Table = [
        {<<>>, <<"bad-request">>, <<"item-required">>},
        {<<"<item>a</item><item>b</item>">>, <<"bad-request">>, <<"invalid-payload">>},
        {<<"<item/>">>, <<"bad-request">>, <<"payload-required">>},
        {<<"<item id='kept'> \n </item>">>, <<"bad-request">>, <<"payload-required">>},
        {<<"<item><a xmlns='a'/><b xmlns='b'/></item>">>, <<"bad-request">>, <<"invalid-payload">>},
        {<<"<item>text<a xmlns='a'/></item>">>, <<"bad-request">>, <<"invalid-payload">>},
        {[<<"<item>">>, Big, <<"</item>">>], <<"not-acceptable">>, <<"payload-too-big">>},
        {[<<"<item id='kept'><a xmlns='a'>">>, Big, <<"</a></item>">>], <<"not-acceptable">>, <<"payload-too-big">>},
        {[<<"<item>">>, Deep, <<"</item>">>], <<"bad-request">>, <<"invalid-payload">>},
        {[<<"<item id='">>, LongId, <<"'>a</item>">>], <<"bad-request">>, none}
    ],
    [
        begin
            Answer = publish_raw(Alice, ?MINE, Items),
            ?assertEqual({Condition, Detail}, {condition(Answer), detail(Answer)}, iolist_to_binary(Items)),
            ?assertNotEqual(<<>>, error_text(Answer)),
            ?assertEqual(nomatch, binary:match(fxml:element_to_binary(Answer), twitter_client:bare(Alice), [
                {scope, {200, byte_size(fxml:element_to_binary(Answer)) - 200}}
            ]))
        end
     || {Items, Condition, Detail} <- Table
    ],
    ?assertEqual([], twitter_events:posts(twitter_cases:server(Config), Bob)),
    ?assertEqual([<<"kept">>], twitter_reading:ids(Alice, ?MINE)),
    ?assertEqual(
        [[{xmlcdata, <<"Nothing is lost">>}]],
        twitter_reading:payloads(Bob, ?FRIENDS)
    ).

refused_nodes(Config) ->
    {Alice, Bob} = friends(Config),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"A post">>),
    _ = twitter_events:posts(twitter_cases:server(Config), Bob),
    BobJid = twitter_client:bare(Bob),
    AliceJid = twitter_client:bare(Alice),
    Forbidden = [<<"/twitter">>, <<"/twitter/MyFriends">>, ?FRIENDS, <<"/twitter/MyStream/a">>,
                 <<"/twitter/MyFriends/", BobJid/binary>>],
    NotFound = [<<"/twitter/">>, <<"/twitter/mystream">>, <<"/twitter/MyStream/b">>, <<"/twitter/Other">>,
                <<"/twitter/MyFriends/", AliceJid/binary>>, <<"/twitter/MyFriends/nobody@localhost">>,
                <<"/twitter/", AliceJid/binary, "/MyStream">>, <<"/twitter/", BobJid/binary, "/MyStream">>],
    [
        ?assertEqual({Node, Condition}, {Node, condition(publish_raw(Alice, Node, <<"<item>Hi</item>">>))})
     || {Nodes, Condition} <- [{Forbidden, <<"forbidden">>}, {NotFound, <<"item-not-found">>}], Node <- Nodes
    ],
    ?assertEqual([], twitter_events:posts(twitter_cases:server(Config), Bob)),
    ?assertEqual([], twitter_reading:ids(Bob, ?MINE)).

nobody_else_writes_to_a_stream(Config) ->
    {Alice, Bob} = friends(Config),
    Carol = fresh(Config, <<"carol">>),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"A post">>),
    Stream = <<"/twitter/MyFriends/", (twitter_client:bare(Alice))/binary>>,
    Writes = [
        fun(Client, Node) -> publish_raw(Client, Node, <<"<item id='a'>Mine now</item>">>) end,
        fun(Client, Node) -> twitter_requests:pubsub(Client, set, [retraction(Node, [<<"a">>])]) end,
        fun(Client, Node) -> purge(Client, Node) end
    ],
    [
        begin
            ?assertEqual(<<"forbidden">>, condition(Write(Bob, Stream))),
            ?assertEqual(<<"forbidden">>, condition(Write(Bob, ?FRIENDS))),
            ?assertEqual(<<"item-not-found">>, condition(Write(Carol, Stream)))
        end
     || Write <- Writes
    ],
    Own = twitter_requests:pubsub(Bob, set, [retraction(?MINE, [<<"a">>])]),
    ?assertEqual(<<"item-not-found">>, condition(Own)),
    ?assertEqual([[{xmlcdata, <<"A post">>}]], twitter_reading:payloads(Alice, ?MINE)).

a_user_of_another_vhost_cannot_publish(Config) ->
    Server = twitter_cases:server(Config),
    Dave = twitter_users:login(Server, twitter_users:fresh(Server, <<"dave">>, <<"other.localhost">>)),
    Answer = publish_at(Dave, <<"pubsub.localhost">>),
    ?assertEqual(<<"not-allowed">>, condition(Answer)),
    ?assertEqual(<<"Only users of localhost can publish here">>, error_text(Answer)),
    _ = twitter_answers:result(publish_at(Dave, <<"pubsub.other.localhost">>)).

an_anonymous_user_cannot_publish(Config) ->
    Nobody = twitter_client:anonymous(twitter_cases:server(Config), <<"anon.localhost">>),
    Answer = publish_at(Nobody, <<"pubsub.anon.localhost">>),
    ?assertEqual(<<"not-allowed">>, condition(Answer)),
    ?assertEqual(<<"Anonymous users cannot publish">>, error_text(Answer)),
    ?assertEqual([], twitter_reading:ids(Nobody, ?MINE)).

%%% Subscriptions and configuration

subscribing_is_not_needed(Config) ->
    {Alice, Bob} = friends(Config),
    BobJid = twitter_client:bare(Bob),
    Friend = <<"/twitter/MyFriends/", (twitter_client:bare(Alice))/binary>>,
    [
        begin
            Answer = twitter_answers:result(subscribe(Bob, Node, Jid)),
            Path = [{elem, <<"pubsub">>}, {elem, <<"subscription">>}],
            Subscription = fxml:get_path_s(Answer, Path),
            Attributes = [fxml:get_tag_attr_s(A, Subscription) || A <- [<<"node">>, <<"jid">>, <<"subscription">>]],
            ?assertEqual([Node, Jid, <<"subscribed">>], Attributes)
        end
     || Node <- [?MINE, ?FRIENDS, Friend], Jid <- [BobJid, twitter_client:jid(Bob)]
    ],
    ?assertEqual(<<"bad-request">>, condition(subscribe(Bob, ?FRIENDS, twitter_client:bare(Alice)))),
    ?assertEqual(<<"feature-not-implemented">>, condition(subscribe(Bob, <<"/twitter">>, BobJid))),
    Carol = fresh(Config, <<"carol">>),
    ?assertEqual(<<"item-not-found">>, condition(subscribe(Carol, Friend, twitter_client:bare(Carol)))),
    All = twitter_requests:el(<<"subscriptions">>, [], []),
    Listed = twitter_answers:result(twitter_requests:pubsub(Bob, get, [All])),
    ?assertEqual(nomatch, binary:match(fxml:element_to_binary(Listed), <<"/twitter">>)),
    %% Each post comes once all the same.
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Once">>),
    ?assertMatch([{item, _, <<"a">>, _}], twitter_events:posts(twitter_cases:server(Config), Bob)).

the_tree_is_fixed(Config) ->
    Alice = fresh(Config, <<"alice">>),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Kept">>),
    Attrs = [{<<"node">>, ?MINE}],
    El = fun(Name) -> twitter_requests:el(Name, Attrs, []) end,
    [
        ?assertEqual({Name, <<"not-allowed">>}, {Name, condition(twitter_requests:owner(Alice, Type, [El(Name)]))})
     || {Type, Name} <- [{set, <<"delete">>}, {get, <<"configure">>}, {get, <<"affiliations">>}, {get, <<"subscriptions">>}]
    ],
    ?assertEqual(<<"not-allowed">>, condition(twitter_requests:pubsub(Alice, set, [El(<<"create">>)]))),
    New = twitter_requests:el(<<"create">>, [{<<"node">>, <<"/twitter/New">>}], []),
    ?assertEqual(<<"item-not-found">>, condition(twitter_requests:pubsub(Alice, set, [New]))),
    ?assertEqual([<<"a">>], twitter_reading:ids(Alice, ?MINE)).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

publish_raw(Client, Node, Items) ->
    publish_to(Client, <<"pubsub.localhost">>, Node, Items).

publish_at(Client, Service) ->
    publish_to(Client, Service, ?MINE, <<"<item>Hello</item>">>).

publish_to(Client, Service, Node, Items) ->
    twitter_client:request(Client, [
        <<"<iq type='set' to='">>, Service, <<"'><pubsub xmlns='http://jabber.org/protocol/pubsub'>">>,
        <<"<publish node='">>, Node, <<"'>">>, Items, <<"</publish></pubsub></iq>">>
    ]).

retraction(Node, Ids) ->
    Items = [twitter_requests:el(<<"item">>, [{<<"id">>, Id}], []) || Id <- Ids],
    twitter_requests:el(<<"retract">>, [{<<"node">>, Node}], Items).

purge(Client, Node) ->
    twitter_requests:owner(Client, set, [twitter_requests:el(<<"purge">>, [{<<"node">>, Node}], [])]).

subscribe(Client, Node, Jid) ->
    Subscribe = twitter_requests:el(<<"subscribe">>, [{<<"node">>, Node}, {<<"jid">>, Jid}], []),
    twitter_requests:pubsub(Client, set, [Subscribe]).

%% The defined condition of an error, wherever it stands in it.
condition(Answer) ->
    child(Answer, <<"urn:ietf:params:xml:ns:xmpp-stanzas">>, fun(Name) -> Name =/= <<"text">> end).

%% The one of XEP-0060 beside it.
detail(Answer) ->
    child(Answer, ?NS_ERRORS, fun(_) -> true end).

child(Answer, Namespace, Pred) ->
    #xmlel{children = Children} = fxml:get_subtag(Answer, <<"error">>),
    case [Name || #xmlel{name = Name} = El <- Children, fxml:get_tag_attr_s(<<"xmlns">>, El) =:= Namespace, Pred(Name)] of
        [Name] -> Name;
        [] -> none
    end.

error_text(Answer) ->
    fxml:get_path_s(Answer, [{elem, <<"error">>}, {elem, <<"text">>}, cdata]).

friends(Config) ->
    list_to_tuple(twitter_cases:friends(Config, [<<"alice">>, <<"bob">>])).

fresh(Config, Name) ->
    [Client] = twitter_cases:strangers(Config, [Name]),
    Client.

user(Client) ->
    twitter_cases:user(Client).

parse(Xml) ->
    fxml_stream:parse_element(Xml).
