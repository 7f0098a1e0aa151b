%%% One page of a stream (XEP-0059): what it holds, what it says of itself, and which ones
%%% are refused. whole_stream_SUITE reads page after page.
-module(paging_SUITE).

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    pages_say_where_they_stand/1,
    pages_are_asked_for_from_any_side/1,
    a_page_may_be_empty/1,
    limits_are_limits/1,
    no_page_lies_both_ways/1,
    made_up_cursors_are_refused/1,
    no_error_was_logged/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [{group, paging}, no_error_was_logged].

groups() ->
    [
        {paging, [parallel], [
            pages_say_where_they_stand,
            pages_are_asked_for_from_any_side,
            a_page_may_be_empty,
            limits_are_limits,
            no_page_lies_both_ways,
            made_up_cursors_are_refused
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% One page

pages_say_where_they_stand(Config) ->
    {Reader, Friends} = twitter_cases:circle(Config),
    Posts = [_, _, P3, P4, P5 | _] = twitter_cases:chat(Friends, 4),
    {All, #{index := 0, count := 12}} = page(Reader, #{max => 100}),
    All = Posts,
    {_, #{last := Second}} = page(Reader, #{max => 2}),
    {[P3, P4, P5], #{index := 2, count := 12, first := Third, last := Fifth} = Page} =
        page(Reader, #{max => 3, 'after' => Second}),
    [count, first, index, last] = lists:sort(maps:keys(Page)),
    %% A page of one begins and ends with the same post.
    {[P3], #{index := 2, first := Third, last := Third}} =
        page(Reader, #{max => 1, 'after' => Second}),
    {[P4], #{index := 3}} = page(Reader, #{max => 1, before => Fifth}).

pages_are_asked_for_from_any_side(Config) ->
    {Reader, Friends} = twitter_cases:circle(Config),
    Posts = twitter_cases:chat(Friends, 3),
    Cursors = [
        {lists:nth(Index + 1, Posts), maps:get(first, Page)}
     || Index <- lists:seq(0, 8), {_, Page} <- [page(Reader, #{max => 1, index => Index})]
    ],
    Posts = [Post || {Post, _} <- Cursors],
    [
        begin
            Cursor = lists:nth(Index + 1, [C || {_, C} <- Cursors]),
            Before = lists:sublist(Posts, max(0, Index - Max) + 1, min(Max, Index)),
            After = lists:sublist(Posts ++ [none], Index + 2, Max) -- [none],
            From = lists:sublist(Posts, Index + 1, Max),
            {Index, Max, Before} =
                {Index, Max, ids_of(page(Reader, #{max => Max, before => Cursor}))},
            {Index, Max, After} =
                {Index, Max, ids_of(page(Reader, #{max => Max, 'after' => Cursor}))},
            {Index, Max, From} = {Index, Max, ids_of(page(Reader, #{max => Max, index => Index}))}
        end
     || Index <- lists:seq(0, 8), Max <- [1, 2, 4, 9, 10]
    ],
    Newest = lists:nthtail(5, Posts),
    {Newest, #{index := 5}} = page(Reader, #{max => 4, before => <<>>}).

a_page_may_be_empty(Config) ->
    {Reader, Friends} = twitter_cases:circle(Config),
    9 = length(twitter_cases:chat(Friends, 3)),
    {_, #{first := First, last := Last}} = page(Reader, #{max => 9}),
    [
        page(Reader, Rsm) =:= {[], #{count => 9}} orelse error({Rsm, page(Reader, Rsm)})
     || Rsm <- [
            #{max => 0},
            #{max => 0, before => <<>>},
            #{max => 0, 'after' => First},
            #{max => 2, 'after' => Last},
            #{max => 2, before => First},
            #{max => 2, index => 9},
            #{max => 2, index => 1 bsl 31},
            #{max => 2, index => 1 bsl 70}
        ]
    ].

%% Of two limits the smaller one counts; what is too large is no error.
limits_are_limits(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Posts = twitter_requests:publish_all(Bob, numbers(60)),
    [
        begin
            Answer = twitter_requests:items(Alice, ?FRIENDS, Options),
            {Options, Expected} = {Options, twitter_answers:posts(Answer)}
        end
     || {Options, Expected} <- [
            {#{rsm => #{max => 60}}, Posts},
            {#{rsm => #{max => 1 bsl 70}}, Posts},
            {#{rsm => #{before => <<>>}}, lists:nthtail(10, Posts)},
            {#{max_items => 2, rsm => #{max => 5, before => <<>>}}, lists:nthtail(58, Posts)},
            {#{max_items => 5, rsm => #{max => 2, before => <<>>}}, lists:nthtail(58, Posts)}
        ]
    ].

no_page_lies_both_ways(Config) ->
    {Reader, Friends} = twitter_cases:circle(Config),
    _ = twitter_cases:chat(Friends, 2),
    {_, #{first := First, last := Last}} = page(Reader, #{max => 5}),
    [
        {Rsm, <<"bad-request">>} =
            {Rsm, twitter_answers:refusal(twitter_requests:items(Reader, ?FRIENDS, #{rsm => Rsm}))}
     || Rsm <- [
            #{'after' => First, before => Last},
            #{'after' => First, before => <<>>},
            #{max => 2, 'after' => Last, before => First},
            #{max => 0, 'after' => First, before => First}
        ]
    ].

made_up_cursors_are_refused(Config) ->
    {Reader, Friends} = twitter_cases:circle(Config),
    _ = twitter_cases:chat(Friends, 2),
    {_, #{first := Good}} = page(Reader, #{max => 5}),
    Bad = [
        <<"0">>,
        <<"x">>,
        <<" ">>,
        <<"b1">>,
        <<"2008-05-08T18:30:02.000000Z">>,
        <<"'; DROP TABLE pubsub_item; --">>,
        <<"łąka"/utf8>>,
        <<Good/binary, "=">>,
        <<Good/binary, " ">>,
        <<" ", Good/binary>>,
        <<"!", Good/binary>>,
        base64:encode(<<"1/alice@localhost">>),
        base64:encode(<<"x/alice@localhost/1">>),
        base64:encode(<<255, 254>>),
        binary:copy(<<"A">>, 20000)
    ],
    [
        {Cursor, Side, <<"item-not-found">>} =
            {Cursor, Side,
                twitter_answers:refusal(Ask(Reader, ?FRIENDS, #{max => 2, Side => Cursor}))}
     || Cursor <- Bad,
        Side <- [before, 'after'],
        Ask <- [
            fun twitter_requests:rows/3,
            fun(Client, Node, Rsm) -> twitter_requests:items(Client, Node, #{rsm => Rsm}) end
        ]
    ].

%%% After all of them

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

numbers(To) ->
    [integer_to_binary(Number) || Number <- lists:seq(1, To)].

page(Reader, Rsm) ->
    twitter_reading:page(Reader, <<"/twitter/FriendsStream">>, Rsm).

ids_of({Posts, _Page}) ->
    Posts.
