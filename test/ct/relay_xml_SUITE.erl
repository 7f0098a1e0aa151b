%%% What services tell each other, as XML: what is written is read again, and what is anything else is
%%% malformed.
-module(relay_xml_SUITE).

-include_lib("stdlib/include/assert.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    a_relay_comes_as_it_went/1,
    an_audience_comes_in_parts/1,
    an_audience_of_nobody/1,
    a_digest_is_of_a_set/1,
    a_message_says_its_version/1,
    answers_are_understood/1,
    what_is_malformed/1
]).

-define(ALICE, <<"alice@a.test">>).
%% One with few digits after the point, and one with all.
-define(THEN, 1_700_000_000_000_000).
-define(NOW, 1_764_000_000_123_456).

all() ->
    [
        a_relay_comes_as_it_went,
        an_audience_comes_in_parts,
        an_audience_of_nobody,
        a_digest_is_of_a_set,
        a_message_says_its_version,
        answers_are_understood,
        what_is_malformed
    ].

init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(xmpp),
    Config.

end_per_suite(_Config) ->
    ok.

a_relay_comes_as_it_went(_Config) ->
    Text = twitter_post:payload([{xmlcdata, <<"Demoing <my> code">>}]),
    Entry = [#xmlel{name = <<"entry">>, attrs = [{<<"xmlns">>, <<"http://www.w3.org/2005/Atom">>}]}],
    Changes = [
        {item, <<"1">>, ?THEN, ?NOW, Text},
        {item, <<"a/b c">>, ?NOW, ?NOW + 1, Entry},
        {retract, <<"0">>, ?NOW + 2},
        {purge, ?THEN}
    ],
    Relay = #{author => ?ALICE, audience => twitter_relay:digest([]), sent => ?NOW, quiet => true, changes => Changes},
    [
        ?assertEqual({relay, Sent}, over_the_wire(twitter_relay:relay(Sent)))
     || Sent <- [Relay, Relay#{'after' => ?THEN}, Relay#{quiet := false, changes := []}]
    ],
    ?assertMatch(#xmlel{children = [#xmlel{children = [{xmlcdata, <<"Demoing <my> code">>}]} | _]},
                 twitter_relay:relay(Relay)).

an_audience_comes_in_parts(_Config) ->
    Readers = lists:sort([<<"reader", (integer_to_binary(N))/binary, "@b.test">> || N <- lists:seq(1, 1201)]),
    {Digest, Els} = twitter_relay:audience(?ALICE, lists:reverse(Readers)),
    Parts = [Part || {audience, Part} <- lists:map(fun over_the_wire/1, Els)],
    Count = length(Els),
    ?assert(Count >= 3),
    ?assertEqual(lists:seq(1, Count), [Number || #{part := Number} <- Parts]),
    [?assertMatch(#{author := ?ALICE, digest := Digest, 'of' := Count}, Part) || Part <- Parts],
    ?assertEqual(Readers, lists:append([Part || #{readers := Part} <- Parts])),
    [?assert(length(Part) =< 500) || #{readers := Part} <- Parts],
    ?assertEqual(Digest, twitter_relay:digest(Readers)).

an_audience_of_nobody(_Config) ->
    {Digest, [El]} = twitter_relay:audience(?ALICE, []),
    ?assertMatch({audience, #{digest := Digest, part := 1, 'of' := 1, readers := []}}, over_the_wire(El)).

a_digest_is_of_a_set(_Config) ->
    Two = twitter_relay:digest([<<"a@b">>, <<"c@d">>]),
    ?assertEqual(Two, twitter_relay:digest([<<"c@d">>, <<"a@b">>, <<"c@d">>])),
    ?assertNotEqual(Two, twitter_relay:digest([<<"a@b">>])),
    %% As anybody computes it: printf 'a@b\nc@d\n' | sha256sum
    ?assertEqual(<<"66f68543e4c3330dfd3ca8fa75779d81d59befb864eb6880b7704083e1695bb4">>, Two).

a_message_says_its_version(_Config) ->
    [
        ?assertEqual(Stamp, stamp_of([twitter_relay:stamp(Stamp)]))
     || Stamp <- [#{published => ?THEN, version => ?NOW, sent => ?NOW + 1}, #{version => ?NOW, sent => ?NOW}]
    ],
    Stamp = twitter_relay:stamp(#{version => ?NOW, sent => ?NOW}),
    ?assertEqual(none, stamp_of([])),
    ?assertEqual(none, stamp_of([Stamp#xmlel{attrs = [{<<"xmlns">>, <<"other">>}]}])),
    ?assertEqual(malformed, stamp_of([Stamp, Stamp])),
    ?assertEqual(malformed, stamp_of([Stamp#xmlel{attrs = [{<<"xmlns">>, twitter_relay:ns()}]}])).

answers_are_understood(_Config) ->
    Result = fun(Els) -> #iq{type = result, sub_els = Els} end,
    Error = fun(Condition, Els) ->
        #iq{type = error, sub_els = [Condition#stanza_error{sub_els = Els}]}
    end,
    [
        ?assertEqual(Expected, twitter_relay:answer(Answer))
     || {Expected, Answer} <- [
            {recorded, Result([])},
            {recorded, Result([#xmlel{name = <<"other">>}])},
            {{missed, none}, Result([twitter_relay:missed(none)])},
            {{missed, ?NOW}, Result([twitter_relay:missed(?NOW)])},
            {unknown_audience, Error(xmpp:err_item_not_found(), [twitter_relay:unknown_audience()])},
            {failed, Error(xmpp:err_item_not_found(), [])},
            {later, Error(xmpp:err_resource_constraint(), [])},
            {not_taken, Error(xmpp:err_not_acceptable(), [])},
            {forbidden, Error(xmpp:err_forbidden(), [])},
            {no_relay, Error(xmpp:err_service_unavailable(), [])},
            {no_relay, Error(xmpp:err_feature_not_implemented(), [])},
            {failed, Error(xmpp:err_internal_server_error(), [])},
            {failed, timeout}
        ]
    ].

what_is_malformed(_Config) ->
    Relay = twitter_relay:relay(#{author => ?ALICE, audience => <<"d">>, sent => ?NOW, quiet => false,
                                  changes => [{retract, <<"1">>, ?NOW}]}),
    {_, [Audience]} = twitter_relay:audience(?ALICE, [<<"bob@b.test">>]),
    ?assertMatch({relay, _}, over_the_wire(Relay)),
    ?assertMatch({audience, _}, over_the_wire(Audience)),
    [
        ?assertEqual(malformed, over_the_wire(El))
     || El <- [
            #xmlel{name = <<"other">>},
            #xmlel{name = <<"relay">>},
            #xmlel{name = <<"audience">>},
            with(<<"author">>, <<"a.test">>, Relay),
            with(<<"author">>, <<"alice@a.test/phone">>, Relay),
            with(<<"author">>, <<"Alice@a.test">>, Relay),
            with(<<"author">>, <<"@">>, Relay),
            with(<<"author">>, <<>>, Relay),
            with(<<"audience">>, <<>>, Relay),
            with(<<"sent">>, <<"yesterday">>, Relay),
            with(<<"sent">>, <<"0000-00-00T00:00:00Z">>, Relay),
            with(<<"sent">>, <<"1800-01-01T00:00:00Z">>, Relay),
            with(<<"after">>, <<"1">>, Relay),
            Relay#xmlel{children = [#xmlel{name = <<"item">>}]},
            Relay#xmlel{children = [#xmlel{name = <<"retract">>, attrs = [{<<"id">>, <<"1">>}]}]},
            Relay#xmlel{children = [#xmlel{name = <<"purge">>}]},
            Relay#xmlel{children = [#xmlel{name = <<"other">>}]},
            with(<<"part">>, <<"0">>, Audience),
            with(<<"of">>, <<"-1">>, Audience),
            with(<<"of">>, <<"1.5">>, Audience),
            Audience#xmlel{children = [#xmlel{name = <<"reader">>}]},
            Audience#xmlel{children = [#xmlel{name = <<"reader">>, attrs = [{<<"jid">>, <<"BOB@b.test">>}]}]}
        ]
    ].

with(Name, Value, #xmlel{attrs = Attrs} = El) ->
    El#xmlel{attrs = lists:keystore(Name, 1, Attrs, {Name, Value})}.

over_the_wire(El) ->
    twitter_relay:decode(fxml_stream:parse_element(fxml:element_to_binary(El))).

stamp_of(Els) ->
    twitter_relay:stamp_of(#message{sub_els = [#xmlel{name = <<"event">>} | Els]}).
