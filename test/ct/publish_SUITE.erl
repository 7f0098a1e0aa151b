%%% Publishing: what is taken and how it comes back, edits, retractions, purges. refusal_SUITE is
%%% about what is not taken, races_SUITE about what many do at the same time.
-module(publish_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    the_stanza_of_2008/1,
    payloads_come_back_as_published/1,
    generated_ids_differ/1,
    an_edit_keeps_its_place/1,
    a_retracted_post_is_gone/1,
    a_purged_stream_is_empty/1,
    no_error_was_logged/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

all() ->
    [{group, publish}, no_error_was_logged].

groups() ->
    [
        {publish, [parallel], [
            the_stanza_of_2008,
            payloads_come_back_as_published,
            generated_ids_differ,
            an_edit_keeps_its_place,
            a_retracted_post_is_gone,
            a_purged_stream_is_empty
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

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

generated_ids_differ(Config) ->
    Alice = fresh(Config, <<"alice">>),
    Ids = [twitter_requests:publish(Alice, <<"again">>) || _ <- lists:seq(1, 40)],
    ?assertEqual(Ids, twitter_reading:ids(Alice, ?MINE)).

%%% Changed posts

an_edit_keeps_its_place(Config) ->
    {Alice, Bob} = friends(Config),
    _ = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>, <<"c">>]),
    <<"b">> = twitter_requests:publish(Alice, <<"b">>, <<"edited">>),
    [
        ?assertMatch(
            [{_, <<"a">>, _}, {_, <<"b">>, <<"edited">>}, {_, <<"c">>, <<"Post c">>}],
            twitter_reading:entries(Reader, Node)
        )
     || {Reader, Node} <- twitter_cases:streams(Bob, Alice)
    ].

a_retracted_post_is_gone(Config) ->
    {Alice, Bob} = friends(Config),
    _ = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>]),
    ok = twitter_requests:retract(Alice, <<"a">>),
    [
        begin
            ?assertEqual([<<"b">>], twitter_reading:ids(Reader, Node)),
            ?assertEqual([], twitter_reading:ids(Reader, Node, #{ids => [<<"a">>]})),
            Post = twitter_requests:items(Reader, <<Node/binary, "/a">>),
            ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(Post))
        end
     || {Reader, Node} <- twitter_cases:streams(Bob, Alice)
    ],
    Again = twitter_requests:pubsub(Alice, set, <<
        "<retract node='/twitter/MyStream'><item id='a'/></retract>"
    >>),
    ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(Again)),
    %% Published anew, it is a new post.
    <<"a">> = twitter_requests:publish(Alice, <<"a">>, <<"anew">>),
    ?assertEqual([<<"b">>, <<"a">>], twitter_reading:ids(Bob, ?FRIENDS)).

a_purged_stream_is_empty(Config) ->
    {Alice, Bob} = friends(Config),
    ok = twitter_requests:purge(Alice),
    _ = twitter_requests:publish(Bob, <<"mine">>, <<"Bob's own">>),
    _ = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>]),
    ok = twitter_requests:purge(Alice),
    ?assertEqual([], twitter_reading:ids(Alice, ?MINE)),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([<<"mine">>], twitter_reading:ids(Alice, ?FRIENDS)),
    <<"c">> = twitter_requests:publish(Alice, <<"c">>, <<"a new start">>),
    ?assertEqual([<<"c">>], twitter_reading:ids(Bob, ?FRIENDS)).

%%% After all of them

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

friends(Config) ->
    list_to_tuple(twitter_cases:friends(Config, [<<"alice">>, <<"bob">>])).

fresh(Config, Name) ->
    [Client] = twitter_cases:strangers(Config, [Name]),
    Client.

parse(Xml) ->
    fxml_stream:parse_element(Xml).
