%%% Payloads come back as they were published: bare text as bare text, an element as that
%%% element.
-module(payload_SUITE).

-include_lib("fast_xml/include/fxml.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    text_comes_back_as_published/1,
    elements_come_back_as_published/1,
    blanks_around_an_element_are_no_text/1,
    no_error_was_logged/1
]).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [{group, payloads}, no_error_was_logged].

groups() ->
    [
        {payloads, [parallel], [
            text_comes_back_as_published,
            elements_come_back_as_published,
            blanks_around_an_element_are_no_text
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

text_comes_back_as_published(Config) ->
    assert_unchanged(Config, [
        {xmlcdata, Text}
     || Text <- [
            <<"Demoing my Twitter-like code">>,
            <<"  two blanks before and two behind  ">>,
            <<"\n\tlines\n\nand tabs\t\n">>,
            <<"a < b && b > c, \"x\" 'y'">>,
            <<"<b>no element</b> &amp; &lt; ]]>">>,
            <<"<payload xmlns='urn:ejabberd:twitter:payload'>text</payload>">>,
            <<"Zażółć 漢字 🐢 e\x{301} \x{202e}tfel"/utf8>>,
            <<".">>,
            binary:copy(<<"long ">>, 4000)
        ]
    ]).

elements_come_back_as_published(Config) ->
    assert_unchanged(Config, [
        parse(Xml)
     || Xml <- [
            <<
                "<entry xmlns='http://www.w3.org/2005/Atom'><title type='text'>Hello</title>"
                "<id>tag:example.org,2008:1</id><published>2008-05-08T18:30:02Z</published>"
                "<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>a <b>b</b> c</div>"
                "</content></entry>"
            >>,
            <<"<geoloc xmlns='http://jabber.org/protocol/geoloc' xml:lang='en'><lat>1.5</lat></geoloc>">>,
            <<"<empty xmlns='urn:x'/>">>,
            <<"<x xmlns='urn:x' b='2' a='&lt;&quot;&apos;&amp;'> \n mixed <y/> &lt;text&gt; </x>">>,
            <<"<p:x xmlns:p='urn:p' p:a='1'><p:y/></p:x>">>,
            <<"<item xmlns='http://jabber.org/protocol/pubsub' id='2'>inner</item>">>,
            <<"<body xmlns='jabber:client'>not a message</body>">>,
            %% The namespace in which the plugin keeps bare text.
            <<"<payload xmlns='urn:ejabberd:twitter:payload'>text</payload>">>,
            <<"<payload xmlns='urn:ejabberd:twitter:payload'/>">>,
            <<
                "<payload xmlns='urn:ejabberd:twitter:payload'><payload "
                "xmlns='urn:ejabberd:twitter:payload'>twice</payload></payload>"
            >>,
            <<"<other xmlns='urn:ejabberd:twitter:payload' a='1'><x xmlns='urn:x'/></other>">>,
            <<"<w:payload xmlns:w='urn:ejabberd:twitter:payload'>prefixed</w:payload>">>
        ]
    ]).

%% As indented XML has them.
blanks_around_an_element_are_no_text(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Publish =
        <<"<publish node='/twitter/MyStream'><item>\n  <x xmlns='urn:x'/>\n</item></publish>">>,
    _ = twitter_answers:result(twitter_requests:pubsub(Bob, set, [parse(Publish)])),
    [
        [[#xmlel{name = <<"x">>}]] = twitter_reading:payloads(Reader, Node)
     || {Reader, Node} <- twitter_cases:streams(Alice, Bob)
    ].

%%% After all of them

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

parse(Xml) ->
    #xmlel{} = fxml_stream:parse_element(Xml).

%% Each payload is read as it was published, from the streams and from its own node.
assert_unchanged(Config, Payloads) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Ids = [twitter_requests:publish(Bob, publishable(Payload)) || Payload <- Payloads],
    [
        begin
            assert_same(Payloads, twitter_requests:items(Reader, Node)),
            [
                assert_same(
                    [Payload], twitter_requests:items(Reader, <<Node/binary, "/", Id/binary>>)
                )
             || {Id, Payload} <- lists:zip(Ids, Payloads)
            ]
        end
     || {Reader, Node} <- twitter_cases:streams(Alice, Bob)
    ].

publishable({xmlcdata, Text}) -> Text;
publishable(Element) -> Element.

assert_same(Published, Answer) ->
    Read = [
        [twitter_meaning:of_xml(Content) || Content <- Payload]
     || Payload <- twitter_answers:payloads(Answer)
    ],
    Expected = [[twitter_meaning:of_xml(Payload)] || Payload <- Published],
    [] = [Pair || {One, Other} = Pair <- lists:zip(Expected, Read), One =/= Other].
