%%% Reading posts by `<items/>': which ones come, and in which order. paging_SUITE is about
%%% result sets, payload_SUITE about what the items hold.
-module(read_SUITE).

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    each_stream_has_its_own_posts/1,
    the_newest_fifty_come_oldest_first/1,
    max_items_are_the_newest/1,
    posts_are_read_by_id/1,
    one_id_of_two_friends_is_two_posts/1,
    an_empty_stream_is_an_empty_list/1,
    collections_have_no_items/1,
    a_post_is_a_node/1,
    the_node_of_one_id_is_the_newest_post/1,
    a_friend_comes_and_goes/1,
    who_must_not_see_gets_nothing/1,
    no_error_was_logged/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [{group, reading}, no_error_was_logged].

groups() ->
    [
        {reading, [parallel], [
            each_stream_has_its_own_posts,
            the_newest_fifty_come_oldest_first,
            max_items_are_the_newest,
            posts_are_read_by_id,
            one_id_of_two_friends_is_two_posts,
            an_empty_stream_is_an_empty_list,
            collections_have_no_items,
            a_post_is_a_node,
            the_node_of_one_id_is_the_newest_post,
            a_friend_comes_and_goes,
            who_must_not_see_gets_nothing
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Which posts

each_stream_has_its_own_posts(Config) ->
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    [Mine] = twitter_requests:publish_all(Alice, [<<"a">>]),
    [Bobs1] = twitter_requests:publish_all(Bob, [<<"b1">>]),
    [Carols] = twitter_requests:publish_all(Carol, [<<"c">>]),
    [Bobs2] = twitter_requests:publish_all(Bob, [<<"b2">>]),
    [
        {Node, Expected} = {Node, twitter_reading:posts(Reader, Node)}
     || {Reader, Node, Expected} <- [
            {Alice, ?MINE, [Mine]},
            {Alice, ?FRIENDS, [Bobs1, Carols, Bobs2]},
            {Alice, stream_of(Bob), [Bobs1, Bobs2]},
            {Alice, stream_of(Carol), [Carols]},
            %% Bob and Carol do not know each other.
            {Bob, ?FRIENDS, [Mine]},
            {Bob, ?MINE, [Bobs1, Bobs2]}
        ]
    ].

the_newest_fifty_come_oldest_first(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    All = twitter_requests:publish_all(Bob, numbers(1, 53)),
    Newest = lists:nthtail(3, All),
    [
        begin
            Answer = twitter_requests:items(Reader, Node),
            {Node, Newest} = {Node, twitter_answers:posts(Answer)},
            %% A client can see that there is more, and where to go on.
            #{count := 53, index := 3, first := First} = twitter_answers:page(Answer),
            Rest = #{rsm => #{before => First}},
            true =
                twitter_reading:posts(Reader, Node, Rest) =:= All -- Newest
        end
     || {Reader, Node} <- twitter_cases:streams(Alice, Bob)
    ].

max_items_are_the_newest(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    All = twitter_requests:publish_all(Bob, numbers(1, 60)),
    [
        begin
            Expected = lists:nthtail(60 - min(Max, 60), All),
            {Node, Max, Expected} =
                {Node, Max,
                    twitter_reading:posts(Reader, Node, #{max_items => Max})}
        end
     || {Reader, Node} <- twitter_cases:streams(Alice, Bob), Max <- [1, 3, 50, 59, 60, 61, 100000]
    ].

posts_are_read_by_id(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Jid = twitter_client:bare(Bob),
    _ = twitter_requests:publish_all(Bob, [<<"1">>, <<"2">>, <<"3">>, <<"MyStream">>]),
    [
        begin
            Answer = twitter_requests:items(Reader, Node, #{ids => Wanted}),
            Expected = [{Jid, Id} || Id <- Found],
            {Node, Wanted, Expected} = {Node, Wanted, lists:sort(twitter_answers:posts(Answer))}
        end
     || {Reader, Node} <- twitter_cases:streams(Alice, Bob),
        {Wanted, Found} <- [
            {[<<"2">>], [<<"2">>]},
            {[<<"3">>, <<"1">>], [<<"1">>, <<"3">>]},
            {[<<"1">>, <<"none">>, <<"1">>], [<<"1">>]},
            {[<<"MyStream">>], [<<"MyStream">>]},
            {[<<"none">>], []},
            {[<<"mystream">>, <<"1 ">>, <<"/1">>], []}
        ]
    ].

one_id_of_two_friends_is_two_posts(Config) ->
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    Both = [{twitter_client:bare(Friend), <<"1">>} || Friend <- [Bob, Carol]],
    _ = twitter_requests:publish(Bob, <<"1">>, <<"Bob's">>),
    _ = twitter_requests:publish(Carol, <<"1">>, <<"Carol's">>),
    _ = twitter_requests:publish(Alice, <<"1">>, <<"Alice's">>),
    Both = twitter_reading:posts(Alice, ?FRIENDS),
    ById = twitter_requests:items(Alice, ?FRIENDS, #{ids => [<<"1">>]}),
    Both = lists:sort(twitter_answers:posts(ById)),
    %% Each with its own payload.
    [[{xmlcdata, <<"Bob's">>}], [{xmlcdata, <<"Carol's">>}]] =
        lists:sort(twitter_answers:payloads(ById)).

an_empty_stream_is_an_empty_list(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    [Loner] = twitter_cases:strangers(Config, [<<"carol">>]),
    [
        begin
            Answer = twitter_requests:items(Reader, Node, Options),
            {Node, Options, []} = {Node, Options, twitter_answers:posts(Answer)},
            %% The list is there, and knows whose it is.
            Node = fxml:get_path_s(Answer, [
                {elem, <<"pubsub">>}, {elem, <<"items">>}, {attr, <<"node">>}
            ])
        end
     || {Reader, Node} <- [{Loner, ?FRIENDS}, {Loner, ?MINE} | twitter_cases:streams(Alice, Bob)],
        Options <- [#{}, #{max_items => 3}, #{ids => [<<"1">>]}]
    ],
    [
        begin
            Answer = twitter_requests:items(Reader, Node, #{rsm => Rsm}),
            {[], #{count := 0} = Page} = {
                twitter_answers:posts(Answer), twitter_answers:page(Answer)
            },
            1 = map_size(Page)
        end
     || {Reader, Node} <- twitter_cases:streams(Alice, Bob),
        Rsm <- [#{max => 3}, #{before => <<>>}, #{max => 0}]
    ],
    _ = twitter_requests:publish(Bob, <<"1">>, <<"Hello">>),
    [[_] = twitter_reading:posts(Reader, Node) || {Reader, Node} <- twitter_cases:streams(Alice, Bob)].

collections_have_no_items(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    _ = twitter_requests:publish(Bob, <<"Hello">>),
    [
        <<"feature-not-implemented">> = twitter_answers:refusal(
            twitter_requests:items(Alice, Node)
        )
     || Node <- [<<"/twitter">>, <<"/twitter/MyFriends">>]
    ].

%%% One post

a_post_is_a_node(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    _ = twitter_requests:publish_all(Bob, [<<"1">>, <<"2">>, <<"2/3">>]),
    [
        begin
            Answer = twitter_requests:items(Reader, <<Node/binary, "/", Id/binary>>),
            [{twitter_client:bare(Bob), Id}] =:= twitter_answers:posts(Answer) orelse
                error({Node, Answer}),
            [[{xmlcdata, <<"Post ", Id/binary>>}]] = twitter_answers:payloads(Answer),
            true =
                <<Node/binary, "/", Id/binary>> =:=
                    fxml:get_path_s(Answer, [
                        {elem, <<"pubsub">>}, {elem, <<"items">>}, {attr, <<"node">>}
                    ])
        end
     || {Reader, Node} <- twitter_cases:streams(Alice, Bob), Id <- [<<"1">>, <<"2">>, <<"2/3">>]
    ].

the_node_of_one_id_is_the_newest_post(Config) ->
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    [Bobs] = twitter_requests:publish_all(Bob, [<<"1">>]),
    [Carols] = twitter_requests:publish_all(Carol, [<<"1">>]),
    Node = <<?FRIENDS/binary, "/1">>,
    [Carols] = twitter_reading:posts(Alice, Node),
    %% The newest one that the reader may see.
    ok = twitter_users:block(Alice, twitter_client:bare(Carol)),
    [Bobs] = twitter_reading:posts(Alice, Node),
    ok = twitter_users:unblock(Alice, twitter_client:bare(Carol)),
    [Carols] = twitter_reading:posts(Alice, Node),
    ok = twitter_requests:retract(Carol, <<"1">>),
    [Bobs] = twitter_reading:posts(Alice, Node).

%%% Who may read

a_friend_comes_and_goes(Config) ->
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    [Bobs] = twitter_requests:publish_all(Bob, [<<"1">>]),
    [Carols] = twitter_requests:publish_all(Carol, [<<"1">>]),
    [Bobs, Carols] = twitter_reading:posts(Alice, ?FRIENDS),
    ok = twitter_users:remove_contact(Alice, twitter_client:bare(Bob)),
    [Carols] = twitter_reading:posts(Alice, ?FRIENDS),
    ok = twitter_users:remove_contact(Carol, twitter_client:bare(Alice)),
    [] = twitter_reading:posts(Alice, ?FRIENDS),
    ok = twitter_users:befriend(Alice, Bob),
    [Bobs] = twitter_reading:posts(Alice, ?FRIENDS),
    [Bobs] = twitter_reading:posts(Alice, stream_of(Bob)).

who_must_not_see_gets_nothing(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    _ = twitter_requests:publish_all(Bob, [<<"1">>, <<"2">>]),
    %% Not even with an id or a cursor that she learnt from a friend of his.
    Page = twitter_answers:page(twitter_requests:items(Alice, ?FRIENDS, #{rsm => #{max => 5}})),
    #{count := 2, first := First, last := Last} = Page,
    [
        begin
            Answer = twitter_requests:items(Eve, Node, Options),
            {Node, Options, []} = {Node, Options, twitter_answers:posts(Answer)},
            true = lists:member(maps:get(count, twitter_answers:page(Answer), 0), [0])
        end
     || Node <- [?FRIENDS, ?MINE],
        Options <- [
            #{},
            #{max_items => 9},
            #{ids => [<<"1">>, <<"2">>]},
            #{rsm => #{max => 5}},
            #{rsm => #{'after' => First}},
            #{rsm => #{before => Last}},
            #{rsm => #{index => 0}}
        ]
    ],
    <<"item-not-found">> = twitter_answers:refusal(twitter_requests:items(Eve, stream_of(Bob))),
    <<"item-not-found">> = twitter_answers:refusal(
        twitter_requests:items(Eve, <<?FRIENDS/binary, "/1">>)
    ).

%%% After all of them

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

stream_of(Friend) ->
    <<"/twitter/MyFriends/", (twitter_client:bare(Friend))/binary>>.

numbers(From, To) ->
    [integer_to_binary(Number) || Number <- lists:seq(From, To)].
