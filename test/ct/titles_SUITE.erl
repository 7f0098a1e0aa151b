%%% What people wrote, where it stands beside the name of its author: rows of a service browser, and
%%% messages. Whatever it is, a row is one short clean line, and the author's name is what it was.
-module(titles_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    a_row_is_one_clean_line/1,
    a_name_is_one_clean_line/1,
    a_name_that_shows_nothing_is_the_address/1,
    long_texts_take_no_longer/1,
    what_shows_nothing_is_no_post/1,
    no_error_was_logged/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
%% Enough for what follows.
-define(MAX_SIZE, 400_000).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [{group, titles}, no_error_was_logged].

groups() ->
    [
        {titles, [parallel], [
            a_row_is_one_clean_line,
            a_name_is_one_clean_line,
            a_name_that_shows_nothing_is_the_address,
            long_texts_take_no_longer,
            what_shows_nothing_is_no_post
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{twitter => #{max_post_size => ?MAX_SIZE}}).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%% {what is published, its row, its message}: the posts themselves come as they are.
texts() ->
    [
        {<<"two\nlines"/utf8>>, <<"two lines">>, <<"two\nlines">>},
        {<<"a\x{2028}b\x{2029}c\x{85}d"/utf8>>, <<"a b c d">>, <<"a\x{2028}b\x{2029}c\x{85}d"/utf8>>},
        {<<"\x{202e}evil\x{202c} \x{2067}me\x{2069}"/utf8>>, <<"evil me">>, <<"evil me">>},
        {<<"\x{feff}a\x{200b}b\x{ad}c\x{9b}d"/utf8>>, <<"abcd">>, <<"a\x{200b}b\x{ad}cd"/utf8>>},
        {<<"\x{301}\x{301}lone"/utf8>>, <<"lone">>, <<"lone">>},
        {<<"e", (copies(16#301, 1000))/binary>>, <<"e", (copies(16#301, 5))/binary>>, <<"e", (copies(16#301, 1000))/binary>>},
        {<<"x\nBob: forged">>, <<"x Bob: forged">>, <<"x\nBob: forged">>},
        {<<"שלום עולם"/utf8>>, <<"שלום עולם"/utf8>>, <<"שלום עולם"/utf8>>},
        {<<"می\x{200c}خواهم"/utf8>>, <<"می\x{200c}خواهم"/utf8>>, <<"می\x{200c}خواهم"/utf8>>},
        {<<"👨‍👩‍👧 🏳️‍🌈"/utf8>>, <<"👨‍👩‍👧 🏳️‍🌈"/utf8>>, <<"👨‍👩‍👧 🏳️‍🌈"/utf8>>},
        {binary:copy(<<"x">>, 100_000), <<(binary:copy(<<"x">>, 79))/binary, "…"/utf8>>, binary:copy(<<"x">>, 100_000)}
    ].

a_row_is_one_clean_line(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Server = twitter_cases:server(Config),
    AliceJid = twitter_client:bare(Alice),
    twitter_cases:rename(Config, Bob, AliceJid, <<"Alice">>),
    _ = twitter_client:sync(Bob),
    [
        begin
            Id = twitter_requests:publish(Alice, Text),
            Node = <<?FRIENDS/binary, "/", Id/binary>>,
            ?assertMatch([{Node, _} | _], twitter_reading:rows(Bob, ?FRIENDS)),
            [{Node, Name} | _] = twitter_reading:rows(Bob, ?FRIENDS),
            ?assertEqual(<<"Alice: ", Row/binary>>, Name),
            Form = twitter_answers:form(twitter_requests:info(Bob, Node)),
            ?assertMatch(#{<<"pubsub#title">> := [Name], <<"pubsub#description">> := [Body]}, Form),
            [Message] = twitter_events:received(Server, Bob),
            ?assertEqual(<<AliceJid/binary, ": ", Body/binary>>, twitter_events:body(Message)),
            ?assertMatch([{item, AliceJid, Id, [{xmlcdata, Text}]}], twitter_events:entries(Message)),
            ?assertEqual([[{xmlcdata, Text}]], twitter_reading:payloads(Bob, Node)),
            %% An element with the same words is no other.
            _ = twitter_requests:publish(Alice, Id, twitter_requests:el(<<"a">>, [{<<"xmlns">>, <<"urn:a">>}], [{xmlcdata, Text}])),
            ?assertMatch([{Node, Name} | _], twitter_reading:rows(Bob, ?FRIENDS)),
            [Edited] = twitter_events:received(Server, Bob),
            ?assertEqual(<<AliceJid/binary, ": ", Body/binary>>, twitter_events:body(Edited))
        end
     || {Text, Row, Body} <- texts()
    ].

a_name_is_one_clean_line(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    AliceJid = twitter_client:bare(Alice),
    _ = twitter_requests:publish(Alice, <<"1">>, <<"Hello">>),
    [
        begin
            twitter_cases:rename(Config, Bob, AliceJid, Text),
            ?assertEqual([{<<"/twitter/MyFriends/", AliceJid/binary>>, Name}], twitter_reading:rows(Bob, <<"/twitter/MyFriends">>)),
            ?assertEqual([{<<?FRIENDS/binary, "/1">>, <<Name/binary, ": Hello">>}], twitter_reading:rows(Bob, ?FRIENDS))
        end
     || {Text, Name, _} <- texts()
    ].

a_name_that_shows_nothing_is_the_address(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    AliceJid = twitter_client:bare(Alice),
    [
        begin
            twitter_cases:rename(Config, Bob, AliceJid, Text),
            ?assertMatch([{_, AliceJid}], twitter_reading:rows(Bob, <<"/twitter/MyFriends">>))
        end
     || Text <- nothing()
    ].

nothing() ->
    [<<>>, <<" \n\t">>, <<"\x{202e}"/utf8>>, <<"\x{200b}\x{fe0f}\x{301}"/utf8>>, <<"\x{3164}"/utf8>>, <<"\x{e0041}\x{e0042}"/utf8>>,
     copies(16#200d, 1000), copies(16#301, 1000)].

%% What is slow when it is long, should anything be: all that is one grapheme cluster, or none.
long_texts_take_no_longer(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Long = fun(Char) -> copies(Char, 100_000) end,
    [
        begin
            _ = twitter_requests:publish(Alice, <<"1">>, Text),
            [{_, Name}] = twitter_reading:rows(Bob, ?FRIENDS),
            ?assert(byte_size(Name) =< byte_size(twitter_client:bare(Alice)) + 2 + 1024)
        end
     || Text <- [
            <<"x", (Long(16#301))/binary>>,
            <<(Long(16#301))/binary, "x">>,
            <<"x", (Long(16#202e))/binary, "y">>,
            <<"x", (Long(16#20))/binary, "y">>,
            <<"x", (binary:copy(<<" \x{301}"/utf8>>, 100_000))/binary, "y">>,
            binary:copy(<<"\x{1f468}\x{200d}"/utf8>>, 50_000),
            binary:copy(<<"\x{915}\x{94d}"/utf8>>, 60_000),
            <<"\x{1f3f4}"/utf8, (copies(16#e0067, 90_000))/binary>>,
            copies(16#1f1e9, 90_000),
            Long(16#1100)
        ]
    ].

what_shows_nothing_is_no_post(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    [
        ?assertEqual(
            {Text, <<"bad-request">>},
            {Text, twitter_answers:refusal(twitter_requests:pubsub(Alice, set, [
                <<"<publish node='/twitter/MyStream'><item>">>, Text, <<"</item></publish>">>
            ]))}
        )
     || Text <- nothing()
    ],
    ?assertEqual([], twitter_reading:ids(Alice, <<"/twitter/MyStream">>)).

%%% After all of them

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

copies(Char, Count) ->
    binary:copy(<<Char/utf8>>, Count).
