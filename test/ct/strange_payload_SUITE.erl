%%% Payloads that are XML, and strange: on the fast way, where bytes are written past ejabberd, and on the
%%% one with all hooks, the same comes as was published, and no reader's stream breaks.
-module(strange_payload_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([
    strange_elements/1,
    strange_texts/1,
    strange_ids/1,
    any_element/1,
    what_is_no_xml_elsewhere_is_refused/1,
    no_error_was_logged/1
]).

-define(ELEMENTS, 100).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [strange_elements, strange_texts, strange_ids, any_element, what_is_no_xml_elsewhere_is_refused, no_error_was_logged].

init_per_suite(Config) ->
    Seed = case os:getenv("SEED") of
               false -> rand:uniform(1 bsl 32);
               Text -> list_to_integer(Text)
           end,
    ct:pal("SEED=~b", [Seed]),
    twitter_cases:start([{seed, Seed} | Config], #{twitter => #{max_post_size => 5_000_000}}).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

strange_elements(Config) ->
    arrive(Config, [
        {<<>>, Xml}
     || Xml <- [
            <<"<x xmlns='urn:x'> ]]&gt; <![CDATA[<a> & ]]]]><![CDATA[> </x>]]></x>">>,
            <<"<x xmlns='urn:x' a='&#10;&#9; &apos;&quot;&lt;&gt;&amp;amp;'>&amp;lt; &#60; &#x10FFFF;</x>">>,
            <<"<x xmlns='urn:x' a='", (binary:copy(<<"&lt;">>, 15_000))/binary, "'/>">>,
            iolist_to_binary([<<"<x xmlns='urn:x'">>, [[<<" a">>, integer_to_binary(N), <<"='1'">>] || N <- lists:seq(1, 3000)], <<"/>">>]),
            <<"<x xmlns='urn:x' xml:lang='de' xml:space='preserve'><y xml:lang=''/> </x>">>,
            <<"<p:x xmlns='urn:d' xmlns:p='urn:p' xmlns:q='urn:q' p:a='1' q:a='2' a='3'><y/><q:z xmlns:p='urn:p2' p:a='4'/></p:x>">>,
            <<"<a:x xmlns:a='urn:a'><x xmlns=''/><x xmlns='urn:x'><a:x/></x></a:x>">>,
            <<"<x/>">>,
            <<"<x xmlns='http://etherx.jabber.org/streams'/>">>,
            <<"<s:stream xmlns:s='http://etherx.jabber.org/streams' s:a='1'><s:error/></s:stream>">>,
            <<"<x xmlns='urn:x' xmlns:stream='urn:s' stream:a='1'/>">>,
            <<"<message xmlns='jabber:client' to='eve@localhost'><body>no message</body></message>">>,
            <<"<iq xmlns='jabber:client' type='error' id='1'><error/></iq>">>,
            <<"<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><p style='x:y'>"
              "<script>alert(1)</script></p></body></html>">>,
            <<"<x xmlns='urn:x'>\x{1fffe}\x{10ffff}\x{fdd0}\x{d7ff}\x{e000}\x{fffd}\x{7f}\x{85}\x{9f}\x{2028}\x{202e}\x{feff}</x>"/utf8>>,
            <<"<ü xmlns='urn:ü' ß='ß'><漢字/></ü>"/utf8>>,
            iolist_to_binary([<<"<x xmlns='urn:x'>">>, lists:duplicate(63, <<"<y>">>), lists:duplicate(63, <<"</y>">>), <<"</x>">>])
        ]
    ]).

strange_texts(Config) ->
    arrive(Config, [
        {<<>>, Text}
     || Text <- [
            <<"]]&gt; &lt;/message&gt;&lt;message&gt;">>, <<"<![CDATA[</item></items>]]>">>, <<"&amp;#0; &amp;lt; &#38;amp;">>, <<"'\"">>,
            <<"\x{1fffe}\x{10ffff}\x{fdd0}\x{7f}\x{85}\x{202e}\x{feff} x"/utf8>>, binary:copy(<<"&amp;">>, 60_000)
        ]
    ]).

strange_ids(Config) ->
    arrive(Config, [
        {Id, <<"<x xmlns='urn:x'/>">>}
     || Id <- [
            <<"&apos;&quot;&lt;&gt;&amp;">>, <<"]]&gt;">>, <<"&#10;&#9;">>, <<"&amp;#0;">>, <<"\x{1fffe}\x{85}\x{202e}"/utf8>>, <<" ">>, <<"!">>,
            binary:copy(<<"&amp;">>, 255)
        ]
    ]).

any_element(Config) ->
    _ = rand:seed(exsss, proplists:get_value(seed, Config)),
    arrive(Config, [{<<>>, fxml:element_to_binary(twitter_fuzz:element(4))} || _ <- lists:seq(1, ?ELEMENTS)]).

%% Its prefixes are declared around it, where no reader has them, or it declares what must not be.
what_is_no_xml_elsewhere_is_refused(Config) ->
    {Alice, Bob, Carol} = people(Config),
    Prefix = <<"xmlns:p='urn:p'">>,
    [
        begin
            Answer = published(Alice, <<>>, Payload, Iq, Pubsub),
            ?assertEqual({Payload, <<"bad-request">>, <<"invalid-payload">>}, {Payload, twitter_answers:refusal(Answer), twitter_answers:detail(Answer)}),
            ?assertNotEqual(<<>>, twitter_answers:error_text(Answer))
        end
     || {Iq, Pubsub, Payload} <- [
            {Prefix, <<>>, <<"<p:x p:a='1'/>">>},
            {<<>>, Prefix, <<"<x xmlns='urn:x' p:a='1'/>">>},
            {<<>>, Prefix, <<"<x xmlns='urn:x'><y/><y><z a='1' p:a='2'/></y></x>">>},
            {<<>>, Prefix, <<"<x xmlns='urn:x'><y xmlns:p='urn:p'/><z p:a='2'/></x>">>},
            {<<>>, <<>>, <<"<stream:error/>">>},
            {<<>>, <<>>, <<"<x xmlns='urn:x'><stream:features/></x>">>},
            {<<>>, <<>>, <<"<x xmlns='urn:x' stream:a='1'/>">>},
            {<<>>, <<>>, <<"<xml:x/>">>}
        ]
    ],
    %% What needs no prefix by then is as good as any other.
    ?assertEqual(none, twitter_answers:refusal(published(Alice, <<"1">>, <<"<p:x><p:y/></p:x>">>, Prefix, <<>>))),
    ok = twitter_server:settle(twitter_cases:server(Config), <<"pubsub.localhost">>),
    [?assertMatch([_], twitter_wire:stanzas(twitter_wire:sync(Wire))) || Wire <- [Bob, Carol]],
    ?assertEqual([<<"1">>], twitter_reading:ids(Alice, <<"/twitter/MyStream">>)).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% Alice writes. Her friends read bytes: Bob on the fast way; Carol, who blocks somebody, on the other.
people(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Carol] = twitter_cases:offline_friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    Client = twitter_users:login(Server, Carol),
    ok = twitter_users:block(Client, <<"nobody@localhost">>),
    ok = twitter_client:close(Client),
    Wires = [twitter_wire:open(Server, User, #{}) || User <- [Bob, Carol]],
    Writer = twitter_users:login(Server, Alice),
    _ = [twitter_wire:sync(Wire) || Wire <- Wires],
    list_to_tuple([Writer | Wires]).

%% Each as bytes between tags, with its id; an empty id lets the service choose.
arrive(Config, Items) ->
    {Alice, Bob, Carol} = people(Config),
    [arrive(Config, Alice, Bob, Carol, Id, Payload) || {Id, Payload} <- Items],
    ok.

arrive(Config, Alice, Bob, Carol, Id, Payload) ->
    Given = twitter_answers:published(published(Alice, Id, Payload, <<>>, <<>>)),
    ok = twitter_server:settle(twitter_cases:server(Config), <<"pubsub.localhost">>),
    [Fast, Full] = [
        binary:replace(twitter_wire:sync(Wire), twitter_users:jid(User), <<"reader">>) || #{user := User} = Wire <- [Bob, Carol]
    ],
    ?assertEqual(Fast, Full, Payload),
    %% Read without what a stream declares.
    Read = twitter_wire:stanzas(Fast),
    ?assertMatch([_], Read, Payload),
    Sent = meaning((parsed([<<"<item>">>, Payload, <<"</item>">>]))#xmlel.children),
    Author = twitter_client:bare(Alice),
    [{item, Publisher, Named, Pushed}] = twitter_events:entries(hd(Read)),
    ?assertEqual({Author, Given, Sent}, {Publisher, Named, meaning(Pushed)}),
    [Stored] = twitter_reading:payloads(Alice, <<"/twitter/MyStream">>, #{ids => [Given]}),
    ?assertEqual(Sent, meaning(Stored)),
    _ = [?assertEqual((parsed([<<"<item id='">>, Id, <<"'/>">>]))#xmlel.attrs, [{<<"id">>, Given}]) || Id =/= <<>>].

meaning(Payload) ->
    [twitter_meaning:of_xml(Content) || Content <- Payload].

%% As it comes in a stream, and in a stanza.
parsed(Xml) ->
    [#xmlel{children = [Element]}] = twitter_wire:stanzas(iolist_to_binary([<<"<message>">>, Xml, <<"</message>">>])),
    Element.

%% With more attributes of the elements around it.
published(Client, Id, Payload, Iq, Pubsub) ->
    Number = integer_to_binary(erlang:unique_integer([positive])),
    ok = twitter_client:raw(Client, [
        <<"<iq type='set' to='pubsub.localhost' id='">>, Number, <<"' ">>, Iq, <<"><pubsub xmlns='http://jabber.org/protocol/pubsub' ">>, Pubsub,
        <<"><publish node='/twitter/MyStream'><item">>, [[<<" id='">>, Id, <<"'">>] || Id =/= <<>>], $>, Payload, <<"</item></publish></pubsub></iq>">>
    ]),
    twitter_client:expect(Client, fun(Stanza) -> fxml:get_tag_attr_s(<<"id">>, Stanza) =:= Number end).
