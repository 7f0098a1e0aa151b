%%% What cannot be published, where, and by whom, and what cannot be changed about the tree. A
%%% refused request changes nothing and reaches nobody.
-module(refusal_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    items_that_are_no_posts_are_refused/1,
    other_nodes_than_my_stream_are_refused/1,
    nobody_else_writes_to_a_stream/1,
    an_anonymous_user_cannot_publish/1,
    subscribing_is_not_needed/1,
    the_tree_is_fixed/1,
    no_error_was_logged/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

all() ->
    [{group, refused}, no_error_was_logged].

groups() ->
    [
        {refused, [parallel], [
            items_that_are_no_posts_are_refused,
            other_nodes_than_my_stream_are_refused,
            nobody_else_writes_to_a_stream,
            an_anonymous_user_cannot_publish,
            subscribing_is_not_needed,
            the_tree_is_fixed
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{
        hosts => [<<"localhost">>, <<"anon.localhost">>],
        twitter => #{max_post_size => 1000},
        options => #{
            host_config => #{
                <<"anon.localhost">> => #{auth_method => [anonymous], allow_multiple_connections => true}
            }
        }
    }).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Publishing

items_that_are_no_posts_are_refused(Config) ->
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
            Answer = publish(Alice, ?MINE, Items),
            ?assertEqual({Condition, Detail}, {twitter_answers:refusal(Answer), twitter_answers:detail(Answer)}, iolist_to_binary(Items)),
            ?assertNotEqual(<<>>, twitter_answers:error_text(Answer)),
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

other_nodes_than_my_stream_are_refused(Config) ->
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
        ?assertEqual({Node, Condition}, {Node, twitter_answers:refusal(publish(Alice, Node, <<"<item>Hi</item>">>))})
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
        fun(Client, Node) -> publish(Client, Node, <<"<item id='a'>Mine now</item>">>) end,
        fun(Client, Node) -> retract(Client, Node) end,
        fun(Client, Node) -> purge(Client, Node) end
    ],
    [
        begin
            ?assertEqual(<<"forbidden">>, twitter_answers:refusal(Write(Bob, Stream))),
            ?assertEqual(<<"forbidden">>, twitter_answers:refusal(Write(Bob, ?FRIENDS))),
            ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(Write(Carol, Stream)))
        end
     || Write <- Writes
    ],
    Own = retract(Bob, ?MINE),
    ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(Own)),
    ?assertEqual([[{xmlcdata, <<"A post">>}]], twitter_reading:payloads(Alice, ?MINE)).

an_anonymous_user_cannot_publish(Config) ->
    Nobody = twitter_client:anonymous(twitter_cases:server(Config), <<"anon.localhost">>),
    Answer = publish(Nobody, ?MINE, <<"<item>Hello</item>">>),
    ?assertEqual(<<"not-allowed">>, twitter_answers:refusal(Answer)),
    ?assertEqual(<<"Anonymous users cannot publish">>, twitter_answers:error_text(Answer)),
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
    ?assertEqual(<<"bad-request">>, twitter_answers:refusal(subscribe(Bob, ?FRIENDS, twitter_client:bare(Alice)))),
    ?assertEqual(<<"feature-not-implemented">>, twitter_answers:refusal(subscribe(Bob, <<"/twitter">>, BobJid))),
    Carol = fresh(Config, <<"carol">>),
    ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(subscribe(Carol, Friend, twitter_client:bare(Carol)))),
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
        ?assertEqual({Name, <<"not-allowed">>}, {Name, twitter_answers:refusal(twitter_requests:owner(Alice, Type, [El(Name)]))})
     || {Type, Name} <- [{set, <<"delete">>}, {get, <<"configure">>}, {get, <<"affiliations">>}, {get, <<"subscriptions">>}]
    ],
    ?assertEqual(<<"not-allowed">>, twitter_answers:refusal(twitter_requests:pubsub(Alice, set, [El(<<"create">>)]))),
    New = twitter_requests:el(<<"create">>, [{<<"node">>, <<"/twitter/New">>}], []),
    ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(twitter_requests:pubsub(Alice, set, [New]))),
    ?assertEqual([<<"a">>], twitter_reading:ids(Alice, ?MINE)).

%%% After all of them

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

publish(Client, Node, Items) ->
    twitter_requests:pubsub(Client, set, [<<"<publish node='">>, Node, <<"'>">>, Items, <<"</publish>">>]).

retract(Client, Node) ->
    twitter_requests:pubsub(Client, set, [
        <<"<retract node='">>, Node, <<"'><item id='a'/></retract>">>
    ]).

purge(Client, Node) ->
    twitter_requests:owner(Client, set, [<<"<purge node='">>, Node, <<"'/>">>]).

subscribe(Client, Node, Jid) ->
    Subscribe = twitter_requests:el(<<"subscribe">>, [{<<"node">>, Node}, {<<"jid">>, Jid}], []),
    twitter_requests:pubsub(Client, set, [Subscribe]).

friends(Config) ->
    list_to_tuple(twitter_cases:friends(Config, [<<"alice">>, <<"bob">>])).

fresh(Config, Name) ->
    [Client] = twitter_cases:strangers(Config, [Name]),
    Client.
