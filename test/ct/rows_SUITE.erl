%%% The rows of a stream in a service browser: each post a row of its own, with a node that
%%% answers like any other.
-module(rows_SUITE).

-include_lib("fast_xml/include/fxml.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    rows_are_posts_newest_first/1,
    a_row_is_one_short_line/1,
    a_row_is_one_line_whatever_the_name/1,
    an_empty_stream_has_no_rows/1,
    a_stream_shows_its_newest_fifty/1,
    result_sets_walk_the_rows_both_ways/1,
    any_id_makes_a_node/1,
    one_id_of_two_friends/1,
    a_post_says_whose_it_is/1,
    no_error_was_logged/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [{group, browsing}, no_error_was_logged].

groups() ->
    [
        {browsing, [parallel], [
            rows_are_posts_newest_first,
            a_row_is_one_short_line,
            a_row_is_one_line_whatever_the_name,
            an_empty_stream_has_no_rows,
            a_stream_shows_its_newest_fifty,
            result_sets_walk_the_rows_both_ways,
            any_id_makes_a_node,
            one_id_of_two_friends,
            a_post_says_whose_it_is
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Streams

rows_are_posts_newest_first(Config) ->
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    [BobJid, CarolJid] = [twitter_client:bare(Friend) || Friend <- [Bob, Carol]],
    twitter_cases:rename(Config, Alice, BobJid, <<"Bob">>),
    _ = twitter_requests:publish(Bob, <<"b1">>, <<"One">>),
    _ = twitter_requests:publish(Carol, <<"c1">>, <<"Two">>),
    _ = twitter_requests:publish(Bob, <<"b2">>, <<"Three">>),
    _ = twitter_requests:publish(Alice, <<"a1">>, <<"Mine">>),
    %% An edit keeps its place.
    _ = twitter_requests:publish(Bob, <<"b1">>, <<"One, better">>),
    [
        {<<"/twitter/FriendsStream/b2">>, <<"Bob: Three">>},
        {<<"/twitter/FriendsStream/c1">>, Carols},
        {<<"/twitter/FriendsStream/b1">>, <<"Bob: One, better">>}
    ] = twitter_reading:rows(Alice, ?FRIENDS),
    Carols = <<CarolJid/binary, ": Two">>,
    [{<<"/twitter/MyStream/a1">>, <<"Mine">>}] =
        twitter_reading:rows(Alice, ?MINE),
    Bobs = <<"/twitter/MyFriends/", BobJid/binary>>,
    Expected = [{<<Bobs/binary, "/b2">>, <<"Three">>}, {<<Bobs/binary, "/b1">>, <<"One, better">>}],
    Expected = twitter_reading:rows(Alice, Bobs).

a_row_is_one_short_line(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    twitter_cases:rename(Config, Alice, twitter_client:bare(Bob), <<"Bob">>),
    Atom = [{<<"xmlns">>, <<"http://www.w3.org/2005/Atom">>}],
    Title = twitter_requests:el(<<"title">>, [], [{xmlcdata, <<"An\nentry">>}]),
    Long = binary:copy(<<"long ">>, 200),
    _ = twitter_requests:publish(Bob, <<" two\n\n\tlines ">>),
    _ = twitter_requests:publish(Bob, twitter_requests:el(<<"entry">>, Atom, [Title])),
    _ = twitter_requests:publish(Bob, Long),
    [<<"Bob: long long ", _/binary>> = Cut, <<"Bob: An entry">>, <<"Bob: two lines">>] =
        names(Alice, ?FRIENDS),
    true = string:length(Cut) =< 100,
    nomatch = binary:match(Cut, <<"\n">>),
    %% The whole text is in the description.
    [{Node, _} | _] = twitter_reading:rows(Alice, ?FRIENDS),
    #{<<"pubsub#description">> := [Whole]} =
        twitter_answers:form(twitter_requests:info(Alice, Node)),
    true = string:trim(Long) =:= Whole.

%% A name, too, may have been typed on several lines.
a_row_is_one_line_whatever_the_name(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    _ = twitter_requests:publish(Bob, <<"Hello">>),
    twitter_cases:rename(Config, Alice, twitter_client:bare(Bob), <<"Bob\n the\tBuilder">>),
    [<<"Bob the Builder: Hello">>] = names(Alice, ?FRIENDS).

an_empty_stream_has_no_rows(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    [
        [] = twitter_reading:rows(Alice, Node)
     || Node <- [?MINE, ?FRIENDS, <<"/twitter/MyFriends/", (twitter_client:bare(Bob))/binary>>]
    ],
    [Loner] = twitter_cases:friends(Config, [<<"carol">>]),
    [] = names(Loner, <<"/twitter/MyFriends">>),
    %% The same rows appear when there is something to show.
    _ = twitter_requests:publish(Bob, <<"Hello">>),
    [_] = names(Alice, ?FRIENDS).

a_stream_shows_its_newest_fifty(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Numbers = [integer_to_binary(Number) || Number <- lists:seq(1, 53)],
    _ = twitter_requests:publish_all(Bob, Numbers),
    Expected = lists:reverse(lists:nthtail(3, Numbers)),
    Bobs = <<"/twitter/MyFriends/", (twitter_client:bare(Bob))/binary>>,
    [
        Expected = row_ids(twitter_requests:rows(Reader, Node), Node)
     || {Reader, Node} <- [{Bob, ?MINE}, {Alice, ?FRIENDS}, {Alice, Bobs}]
    ],
    %% Who asks for more than fifty gets more.
    All = lists:reverse(Numbers),
    All = row_ids(twitter_requests:rows(Alice, ?FRIENDS, #{max => 60}), ?FRIENDS).

result_sets_walk_the_rows_both_ways(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    _ = twitter_requests:publish_all(Bob, [<<"1">>, <<"2">>, <<"3">>, <<"4">>, <<"5">>]),
    Page = fun(Rsm) ->
        Answer = twitter_requests:rows(Alice, ?FRIENDS, Rsm#{max => 2}),
        {row_ids(Answer, ?FRIENDS), twitter_answers:page(Answer)}
    end,
    %% The list begins with the newest post, so that is where "after" leads away from.
    {[<<"5">>, <<"4">>], #{index := 0, count := 5, last := Fourth}} = Page(#{}),
    {[<<"3">>, <<"2">>], #{index := 2, first := Third, last := Second}} = Page(#{'after' => Fourth}),
    {[<<"1">>], #{index := 4, count := 5}} = Page(#{'after' => Second}),
    {[<<"5">>, <<"4">>], #{index := 0}} = Page(#{before => Third}),
    {[<<"2">>, <<"1">>], #{index := 3}} = Page(#{before => <<>>}),
    {[<<"4">>, <<"3">>], #{index := 1}} = Page(#{index => 1}).

%%% Posts

any_id_makes_a_node(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    BobJid = twitter_client:bare(Bob),
    Bobs = <<"/twitter/MyFriends/", BobJid/binary>>,
    Ids = odd_ids(BobJid),
    Posts = twitter_requests:publish_all(Bob, Ids),
    Posts = [{BobJid, Id} || Id <- Ids],
    Newest = lists:reverse(Ids),
    [
        begin
            Newest = row_ids(twitter_requests:rows(Reader, Stream), Stream),
            [opens(Reader, <<Stream/binary, "/", Id/binary>>, {BobJid, Id}) || Id <- Ids]
        end
     || {Reader, Stream} <- [{Bob, ?MINE}, {Alice, ?FRIENDS}, {Alice, Bobs}]
    ].

odd_ids(Jid) ->
    [
        <<"a/b">>,
        <<"/">>,
        <<"//a/">>,
        <<"a b">>,
        <<" a ">>,
        <<"!">>,
        <<"a!b">>,
        <<"a!b!c">>,
        <<"%">>,
        <<"%21">>,
        <<"%2F">>,
        <<"'">>,
        <<"\"'<&>">>,
        <<"&amp;">>,
        <<"Żółw 🐢"/utf8>>,
        <<"e\x{301}"/utf8>>,
        <<"MyStream">>,
        <<"MyFriends">>,
        <<"FriendsStream">>,
        <<"/twitter">>,
        <<"/twitter/MyStream">>,
        <<"tag:example.org,2008-05-01:a/b?c#d">>,
        Jid,
        <<Jid/binary, "/MyStream">>,
        <<"A">>,
        <<"a">>
    ].

%% What a service browser does with the row of a post: it asks what it is, and what is
%% below it. A client asks for the post itself.
opens(Reader, Node, {_, Id} = Post) ->
    Answer = twitter_requests:info(Reader, Node),
    [{<<"pubsub">>, <<"leaf">>, false}] = twitter_answers:identities(Answer),
    #{<<"pubsub#description">> := [Text]} = twitter_answers:form(Answer),
    true = Text =:= string:trim(<<"Post ", Id/binary>>),
    [] = twitter_reading:rows(Reader, Node),
    [Post] = twitter_reading:posts(Reader, Node).

one_id_of_two_friends(Config) ->
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    _ = twitter_requests:publish(Carol, <<"1">>, <<"Carol's">>),
    _ = twitter_requests:publish(Bob, <<"1">>, <<"Bob's">>),
    twitter_cases:rename(Config, Alice, twitter_client:bare(Bob), <<"Bob">>),
    twitter_cases:rename(Config, Alice, twitter_client:bare(Carol), <<"Carol">>),
    Node = <<"/twitter/FriendsStream/1">>,
    [{Node, <<"Bob: Bob's">>}, {Node, <<"Carol: Carol's">>}] =
        twitter_reading:rows(Alice, ?FRIENDS),
    %% The node is the newest one that the reader may see.
    Title = fun() ->
        maps:get(<<"pubsub#title">>, twitter_answers:form(twitter_requests:info(Alice, Node)))
    end,
    [<<"Bob: Bob's">>] = Title(),
    ok = twitter_users:remove_contact(Alice, twitter_client:bare(Bob)),
    [<<"Carol: Carol's">>] = Title().

a_post_says_whose_it_is(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    BobJid = twitter_client:bare(Bob),
    _ = twitter_requests:publish(Bob, <<"1">>, <<"Hello">>),
    [
        #{<<"pubsub#publisher">> := [BobJid], <<"pubsub#owner">> := [BobJid]} =
            twitter_answers:form(twitter_requests:info(Reader, Node))
     || {Reader, Node} <- [
            {Bob, <<"/twitter/MyStream/1">>},
            {Alice, <<"/twitter/FriendsStream/1">>},
            {Alice, <<"/twitter/MyFriends/", BobJid/binary, "/1">>}
        ]
    ].

%%% After all of them

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

names(Reader, Node) ->
    [Name || {_, Name} <- twitter_reading:rows(Reader, Node)].

row_ids(Answer, Stream) ->
    Size = byte_size(Stream),
    [
        Id
     || {<<Prefix:Size/binary, "/", Id/binary>>, _} <- twitter_answers:rows(Answer),
        Prefix =:= Stream
    ].
