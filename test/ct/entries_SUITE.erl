%%% Atom entries: what people read in those of clients for feeds, in rows and messages; and that those which are
%%% made here are what such clients expect (RFC 4287, XEP-0277, XEP-0472).
-module(entries_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    entries_of_clients_are_read/1,
    hostile_entries_are_read/1,
    a_line_makes_an_entry/1,
    several_lines_make_an_entry/1,
    whatever_is_in_the_text/1,
    another_text_keeps_what_it_was/1,
    an_entry_is_plain_or_not/1,
    several_places_are_no_link/1,
    no_error_was_logged/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(ATOM, <<"http://www.w3.org/2005/Atom">>).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [{group, entries}, several_places_are_no_link, no_error_was_logged].

groups() ->
    [
        {entries, [parallel], [
            entries_of_clients_are_read,
            hostile_entries_are_read,
            a_line_makes_an_entry,
            several_lines_make_an_entry,
            whatever_is_in_the_text,
            another_text_keeps_what_it_was,
            an_entry_is_plain_or_not
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{twitter => #{max_post_size => 400_000}}).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Entries of others

entries_of_clients_are_read(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Author = twitter_client:bare(Alice),
    [
        begin
            Id = twitter_requests:publish(Alice, Entry),
            Node = <<?FRIENDS/binary, "/", Id/binary>>,
            [Message] = twitter_events:received(Server, Bob),
            ?assertEqual(<<Author/binary, ": ", Text/binary>>, twitter_events:body(Message)),
            ?assertMatch([{Node, <<Author:(byte_size(Author))/binary, ": ", Title/binary>>} | _], twitter_reading:rows(Bob, ?FRIENDS)),
            ?assertMatch(#{<<"pubsub#description">> := [Text]}, twitter_answers:form(twitter_requests:info(Bob, Node))),
            %% It comes as it was published.
            [{item, Author, Id, [Pushed]}] = twitter_events:entries(Message),
            ?assertEqual(twitter_meaning:of_xml(Entry), twitter_meaning:of_xml(Pushed))
        end
     || {Entry, Text, Title} <- [
            {of_movim(), <<"Une journée\n\nIl *fait* beau.\nhttps://movim.eu/"/utf8>>, <<"Une journée"/utf8>>},
            {of_movim_in_short(), <<"Bonjour à tous"/utf8>>, <<"Bonjour à tous"/utf8>>},
            {of_libervia(), <<"Libervia 0.9\n\nIt is out!\n\n• faster\n• https://libervia.org\n\nEnjoy."/utf8>>, <<"Libervia 0.9">>},
            {of_slixmpp(), <<"Hello from a library\n\nIn short">>, <<"Hello from a library">>},
            {repeated(), <<"hanging out at the Café Napolitano"/utf8>>, <<"hanging out at the Café Napolitano"/utf8>>},
            {html(), <<"Feed\n\n1 < 2\nsee this (https://example.org/a)">>, <<"Feed">>}
        ]
    ].

%% Both forms of a content, the first as it was written; tags and links to elsewhere.
of_movim() ->
    entry(<<
        "<title>Une journée</title><content type='text'>Il *fait* beau.\nhttps://movim.eu/</content>"
        "<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>Il <em>fait</em> beau.<br/>"
        "<a href='https://movim.eu/'>https://movim.eu/</a></p></div></content><category term='meteo'/>"
        "<link rel='related' href='https://movim.eu/' type='text/html' title='Movim'/>"/utf8
    >>).

%% The whole text is the title, and once more the content.
of_movim_in_short() ->
    entry(<<
        "<title>Bonjour à tous</title><content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>"
        "<p>Bonjour à tous</p></div></content>"/utf8
    >>).

%% Titles in two forms, a content in XHTML only, comments elsewhere.
of_libervia() ->
    entry(<<
        "<title type='text'>Libervia 0.9</title><title type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>"
        "<strong>Libervia</strong> 0.9</div></title><content type='xhtml' xml:lang='en'>"
        "<div xmlns='http://www.w3.org/1999/xhtml'><p>It is out!</p><ul><li>faster</li><li>"
        "<a href='https://libervia.org'>https://libervia.org</a></li></ul><p>Enjoy.</p>"
        "<script>alert('no')</script></div></content><link rel='replies' title='comments' "
        "href='xmpp:comments.example.org?;node=urn%3Axmpp%3Amicroblog%3A0%3Acomments%2F1'/>"/utf8
    >>).

of_slixmpp() ->
    entry(<<"<title>Hello from a library</title><summary>In short</summary>">>).

%% As in XEP-0472, section 4.5.
repeated() ->
    entry(<<
        "<title type='text'>hanging out at the Caf&#233; Napolitano</title><link rel='via' "
        "href='xmpp:news.montague.lit?;node=family;item=1' ref='tag:montague.lit,2008:1'/>"
    >>).

html() ->
    entry(<<
        "<title>Feed</title><content type='html'>&lt;div>1 &amp;lt; 2&lt;/div>see "
        "&lt;a href=https://example.org/a>this&lt;/a>&lt;style>b {}&lt;/style></content>"
    >>).

%% As deep as may be, and as long as may be.
hostile_entries_are_read(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Xhtml = fun(Inner) ->
        entry(iolist_to_binary([<<"<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>">>, Inner, <<"</div></content>">>]))
    end,
    Html = fun(Inner) -> entry(iolist_to_binary([<<"<content type='html'>">>, fxml:crypt(Inner), <<"</content>">>])) end,
    Many = fun(Part) -> binary:copy(Part, 300_000 div (byte_size(Part) + 8)) end,
    [
        begin
            Id = twitter_requests:publish(Alice, Entry),
            Event = twitter_client:expect(Bob, twitter_events:is_event(?FRIENDS, Id)),
            ?assertNotEqual(none, twitter_events:body(Event)),
            ?assertMatch([_ | _], twitter_reading:rows(Bob, ?FRIENDS))
        end
     || Entry <- [
            Xhtml([binary:copy(<<"<ol><li>">>, 30), <<"x">>, binary:copy(<<"</li></ol>">>, 30)]),
            Xhtml(Many(<<"<br/>">>)),
            Xhtml(Many(<<"<a href='https://e.org'/>">>)),
            Html(<<"x", (Many(<<"<a '">>))/binary>>),
            Html(<<"x", (Many(<<"<!--">>))/binary>>),
            Html(<<"x", (Many(<<"<script>">>))/binary>>),
            Html(<<"x", (Many(<<"&">>))/binary>>),
            entry(Many(<<"<title/>">>)),
            entry(Many(<<"<content type='html'>a</content>">>))
        ]
    ],
    _ = twitter_events:received(Server, Bob).

%%% Entries of our own

a_line_makes_an_entry(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    Entry = made(Config, Alice, <<"4B2C8277">>, <<"Five & six">>),
    Author = twitter_client:bare(Alice),
    [User, _] = binary:split(Author, <<"@">>),
    ?assertEqual(<<"Five & six">>, text(Entry, [<<"title">>])),
    ?assertEqual(<<"text">>, fxml:get_path_s(Entry, [{elem, <<"title">>}, {attr, <<"type">>}])),
    ?assertNot(has(Entry, <<"content">>)),
    ?assertEqual(User, text(Entry, [<<"author">>, <<"name">>])),
    ?assertEqual(<<"xmpp:", Author/binary>>, text(Entry, [<<"author">>, <<"uri">>])),
    ?assertEqual(<<"tag:localhost,2008-05-01:", Author/binary, "/4B2C8277">>, text(Entry, [<<"id">>])),
    ?assertEqual(<<"2008-05-01T10:00:00Z">>, without_fraction(text(Entry, [<<"published">>]))),
    ?assertEqual(<<"2008-05-02T10:00:00Z">>, without_fraction(text(Entry, [<<"updated">>]))),
    %% Without a content there is a link to where it is found (RFC 4287, section 4.1.2).
    Link = fxml:get_subtag(Entry, <<"link">>),
    ?assertEqual(<<"alternate">>, fxml:get_tag_attr_s(<<"rel">>, Link)),
    Node = <<"%2Ftwitter%2FMyFriends%2F", User/binary, "%40localhost">>,
    ?assertEqual(<<"xmpp:pubsub.localhost?;node=", Node/binary, ";item=4B2C8277">>, fxml:get_tag_attr_s(<<"href">>, Link)).

several_lines_make_an_entry(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    Lines = <<"Five\r\nsix\rseven\n\n", (binary:copy(<<"eight ">>, 40))/binary, "\n">>,
    Entry = made(Config, Alice, <<"1">>, Lines),
    Content = <<"Five\nsix\nseven\n\n", (binary:copy(<<"eight ">>, 40))/binary>>,
    ?assertEqual(Content, text(Entry, [<<"content">>])),
    ?assertEqual(<<"text">>, fxml:get_path_s(Entry, [{elem, <<"content">>}, {attr, <<"type">>}])),
    Title = text(Entry, [<<"title">>]),
    ?assertMatch(<<"Five six seven eight ", _/binary>>, Title),
    ?assertEqual(<<"…"/utf8>>, binary:part(Title, byte_size(Title), -3)),
    %% Which is read as it was written.
    ?assertEqual(string:trim(Content), read(Config, Entry)).

%% What would end the stream of all friends, and what has a meaning in a URI.
whatever_is_in_the_text(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    [
        ?assertEqual(Expected, text(made(Config, Alice, <<"1">>, Text), [<<"title">>]))
     || {Text, Expected} <- [
            {<<"a\x{0}b\x{1b}[0mc", 16#ef, 16#bf, 16#bf, "d">>, <<"ab[0mcd">>},
            {<<"a", 16#e9, "b">>, <<"a\x{fffd}b"/utf8>>},
            {<<"<a/> & ]]> \"'">>, <<"<a/> & ]]> \"'">>},
            {<<"\n🐢\n"/utf8>>, <<"🐢"/utf8>>}
        ]
    ],
    Entry = made(Config, <<"rené#1%"/utf8>>, <<"a/b?c#d é"/utf8>>, <<"Hello">>),
    ?assertEqual(<<"xmpp:ren%C3%A9%231%25@localhost">>, text(Entry, [<<"author">>, <<"uri">>])),
    ?assertEqual(<<"rené#1%"/utf8>>, text(Entry, [<<"author">>, <<"name">>])),
    ?assertMatch({match, _}, re:run(text(Entry, [<<"id">>]), "/a%2Fb%3Fc%23d%20%C3%A9$")),
    ?assertMatch({match, _}, re:run(fxml:get_path_s(Entry, [{elem, <<"link">>}, {attr, <<"href">>}]), ";item=a%2Fb%3Fc%23d%20%C3%A9$")),
    [
        ?assertEqual(IsBlank, twitter_server:call(twitter_cases:server(Config), twitter_entry, is_blank, [Text]))
     || {Text, IsBlank} <- [{<<>>, true}, {<<" \n\x{200b}\x{0}"/utf8>>, true}, {<<"a">>, false}]
    ].

another_text_keeps_what_it_was(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    Old = of_movim(),
    New = renewed(Config, Alice, [Old], <<"Other\ntext">>),
    [?assertEqual(text(Old, [Name]), text(New, [Name])) || Name <- [<<"id">>, <<"published">>]],
    ?assertEqual(<<"2008-05-02T10:00:00Z">>, without_fraction(text(New, [<<"updated">>]))),
    ?assertEqual(<<"Other text">>, text(New, [<<"title">>])),
    ?assertEqual(<<"Other\ntext">>, text(New, [<<"content">>])),
    ?assertEqual(<<"Other\ntext">>, read(Config, New)),
    Again = renewed(Config, Alice, [New], <<"Third">>),
    ?assertEqual([text(Old, [<<"id">>]), <<"Third">>], [text(Again, [<<"id">>]), read(Config, Again)]),
    %% Of bare text and other payloads nothing is kept.
    Made = renewed(Config, Alice, [{xmlcdata, <<"bare">>}], <<"Other">>),
    ?assertEqual(<<"2008-05-01T10:00:00Z">>, without_fraction(text(Made, [<<"published">>]))).

an_entry_is_plain_or_not(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    IsPlain = fun(Payload) -> twitter_server:call(twitter_cases:server(Config), twitter_entry, is_plain, [[Payload]]) end,
    [
        ?assertEqual({Payload, Plain}, {Payload, IsPlain(Payload)})
     || {Payload, Plain} <- [
            {{xmlcdata, <<"bare">>}, true},
            {made(Config, Alice, <<"1">>, <<"One line">>), true},
            {made(Config, Alice, <<"1">>, <<"Two\nlines">>), true},
            {of_movim(), false},
            {of_libervia(), false},
            {of_slixmpp(), false},
            {repeated(), false},
            {twitter_requests:el(<<"geoloc">>, [{<<"xmlns">>, <<"urn:x">>}], []), false}
        ]
    ].

%% With two pubsub hosts it is not known at which of them the post is.
several_places_are_no_link(Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, #{pubsub => #{hosts => [<<"pubsub.localhost">>, <<"feeds.localhost">>]}}),
    ok = twitter_server:await_service(Server, <<"localhost">>),
    Entry = made(Config, <<"alice">>, <<"1">>, <<"Hello">>),
    ?assertNot(has(Entry, <<"link">>)),
    ?assertEqual([<<"Hello">>, <<"Hello">>], [text(Entry, [Name]) || Name <- [<<"title">>, <<"content">>]]),
    ?assertEqual(<<"Hello">>, read(Config, Entry)),
    ok = twitter_server:reload(Server, #{pubsub => #{}}),
    ok = twitter_server:await_service(Server, <<"localhost">>).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

entry(Words) ->
    #xmlel{} = fxml_stream:parse_element(<<
        "<entry xmlns='http://www.w3.org/2005/Atom'>", Words/binary,
        "<id>tag:example.org,2008-05-08:1</id><published>2008-05-08T18:30:02Z</published>"
        "<updated>2008-05-08T18:30:02Z</updated><author><name>Alice</name><uri>xmpp:alice@example.org</uri></author>"
        "</entry>"
    >>).

%% First published on the first of May of 2008, changed a day later.
-define(TIMES, {{1209, 636000, 0}, {1209, 722400, 0}}).

made(Config, User, Id, Text) ->
    twitter_server:call(twitter_cases:server(Config), twitter_entry, new, [jid(Config, User), Id, Text, ?TIMES]).

renewed(Config, User, Old, Text) ->
    twitter_server:call(twitter_cases:server(Config), twitter_entry, renewed, [Old, jid(Config, User), <<"1">>, Text, ?TIMES]).

%% What a person reads in it.
read(Config, Entry) ->
    twitter_server:call(twitter_cases:server(Config), twitter_post, text, [[Entry]]).

jid(Config, Client) when is_pid(Client) ->
    [Name, _] = binary:split(twitter_client:bare(Client), <<"@">>),
    jid(Config, Name);
jid(Config, Name) ->
    twitter_server:call(twitter_cases:server(Config), jid, make, [Name, <<"localhost">>]).

text(Entry, Path) ->
    ?assertEqual(?ATOM, fxml:get_tag_attr_s(<<"xmlns">>, Entry)),
    fxml:get_path_s(Entry, [{elem, Name} || Name <- Path] ++ [cdata]).

has(Entry, Name) ->
    fxml:get_subtag(Entry, Name) =/= false.

without_fraction(Moment) ->
    re:replace(Moment, "[.]0+Z$", "Z", [{return, binary}]).
