%%% Eve wants to know what Alice writes, or whether she writes at all. She knows Alice's address, the id of
%%% a post and its place in the timeline, for Mallory, who was a friend once, has told her; and she may
%%% send whatever she likes, to whomever she likes. What she receives is what she would have received had
%%% she asked for somebody who does not exist.
-module(intruder_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    other_spellings_of_a_hidden_node/1,
    questions_at_random/1,
    other_addresses_of_the_service/1,
    other_services/1,
    raw_stanzas/1,
    a_forged_place/1,
    contacts_that_she_makes_up/1,
    interest_in_nodes/1,
    no_error_was_logged/1
]).

-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(NOBODY, <<"nobody@localhost">>).
-define(OTHER, <<"other.example">>).
%% No answer to Eve may hold any of these words.
-define(TEXT, <<"Quagga">>).
-define(QUESTIONS, 1500).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    %% By itself: two who make ordinary nodes at once may end in an error of mod_pubsub's.
    [{group, eve}, raw_stanzas, no_error_was_logged].

groups() ->
    [
        {eve, [parallel], [
            other_spellings_of_a_hidden_node,
            questions_at_random,
            other_addresses_of_the_service,
            other_services,
            a_forged_place,
            contacts_that_she_makes_up,
            interest_in_nodes
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{
        hosts => [<<"localhost">>, ?OTHER],
        modules => #{mod_last => #{}, mod_mam => #{}, mod_vcard => #{}}
    }).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Questions

%% Whatever she calls the node, and whatever she asks of it.
other_spellings_of_a_hidden_node(Config) ->
    {Eve, Jid} = intruder(Config),
    alike(Eve, Eve, spellings(Jid), spellings(?NOBODY)).

spellings(Jid) ->
    [Name, Domain] = binary:split(Jid, <<"@">>),
    Friend = <<"/twitter/MyFriends/">>,
    Jids = [
        Jid, <<Jid/binary, "/secret">>, <<Jid/binary, "/phone">>, <<Jid/binary, "/">>, <<Jid/binary, ".">>,
        string:uppercase(Jid), <<Name/binary, "@", (string:uppercase(Domain))/binary>>,
        <<Name/binary, "\\40", Domain/binary>>, <<Name/binary, "%40", Domain/binary>>,
        %% Which stringprep takes for the same letters, or for nothing.
        <<Name/binary, "@", (unicode:characters_to_binary([$ｌ, $ｏ, $ｃ, $ａ, $ｌ, $ｈ, $ｏ, $ｓ, $ｔ]))/binary>>,
        <<Name/binary, 16#C2, 16#AD, "@", Domain/binary>>, <<Name/binary, 16#E2, 16#80, 16#8B, "@", Domain/binary>>,
        <<" ", Jid/binary>>, <<Jid/binary, " ">>, <<"!", Jid/binary>>, <<Jid/binary, "!">>, <<Jid/binary, "!secret">>,
        <<Jid/binary, "/../", Jid/binary>>, <<"./", Jid/binary>>, <<"xmpp:", Jid/binary>>, Name
    ],
    [<<Friend/binary, Each/binary>> || Each <- Jids] ++
        [<<"/twitter/", Jid/binary, "/MyStream">>, <<"/twitter/", Jid/binary>>,
         <<"/twitter/", Jid/binary, "/MyStream/00000000000000000000000000000000">>,
         <<"/twitter/MyStream/", Jid/binary>>, <<"/twitter/FriendsStream/", Jid/binary>>,
         <<"/twitter/FriendsStream/", Jid/binary, "/secret">>].

questions_at_random(Config) ->
    Seed = rand:seed(exsss),
    ct:log("rand:seed(~p)", [rand:export_seed_s(Seed)]),
    {Eve, Jid} = intruder(Config),
    Parts = fun(Of) ->
        [Name, Domain] = binary:split(Of, <<"@">>),
        [Of, Of, Of, Name, Domain, <<"MyFriends/">>, <<"MyFriends/">>, <<"FriendsStream/">>, <<"MyStream/">>, <<"MyStream">>,
         <<"secret">>, <<"secret">>, <<"/">>, <<"/">>, <<"!">>, <<"@">>, <<"..">>, <<" ">>, <<"\\40">>, <<16#C2, 16#AD>>, <<"twitter/">>]
    end,
    [
        begin
            Chosen = [rand:uniform(length(Parts(Jid))) || _ <- lists:seq(1, rand:uniform(6))],
            Node = fun(Of) -> iolist_to_binary([<<"/twitter/">> | [lists:nth(N, Parts(Of)) || N <- Chosen]]) end,
            {Name, Ask} = lists:nth(rand:uniform(length(twitter_asks:all())), twitter_asks:all()),
            [Hers, Nobodys] = [unnamed(Of, said(Eve, Ask(Eve, Node(Of)), Node(Of))) || Of <- [Jid, ?NOBODY]],
            ?assertEqual({Name, Node(Jid), Nobodys}, {Name, Node(Jid), Hers})
        end
     || _ <- lists:seq(1, ?QUESTIONS)
    ].

unnamed(Jid, Said) ->
    [Name, _] = binary:split(Jid, <<"@">>),
    binary:replace(Said, Name, <<"*">>, [global]).

other_addresses_of_the_service(Config) ->
    {Eve, Jid} = intruder(Config),
    Stream = <<"/twitter/MyFriends/", Jid/binary>>,
    Nobodys = <<"/twitter/MyFriends/", ?NOBODY/binary>>,
    [
        alike(Eve, {Eve, To}, [Stream, <<Stream/binary, "/secret">>], [Nobodys, <<Nobodys/binary, "/secret">>])
     || To <- [<<"PUBSUB.LOCALHOST">>, <<"pubsub.localhost/x">>, <<"x@pubsub.localhost">>, <<"x@pubsub.localhost/y">>,
               <<"localhost">>]
    ].

%% Streams of one vhost are no streams of another one.
other_services(Config) ->
    Server = twitter_cases:server(Config),
    {Eve, Jid} = intruder(Config),
    Stream = <<"/twitter/MyFriends/", Jid/binary>>,
    Nobodys = <<"/twitter/MyFriends/", ?NOBODY/binary>>,
    [Alice, _] = binary:split(Jid, <<"@">>),
    %% Another person of the same name is her friend; she comes from another vhost.
    Namesake = twitter_users:register(Server, Alice, ?OTHER),
    Far = twitter_users:fresh(Server, <<"eve">>, ?OTHER),
    ok = twitter_users:befriend(Server, Namesake, Far),
    ok = twitter_users:befriend(Server, Namesake, twitter_cases:user(Eve)),
    Client = twitter_users:login(Server, Far),
    [
        begin
            alike(Asker, {Asker, Service}, [Stream, <<Stream/binary, "/secret">>], [Nobodys, <<Nobodys/binary, "/secret">>]),
            ?assertEqual([], twitter_reading:ids({Asker, Service}, ?FRIENDS)),
            ?assertEqual([], twitter_reading:ids({Asker, Service}, ?FRIENDS, #{ids => [<<"secret">>]}))
        end
     || Asker <- [Eve, Client], Service <- [<<"pubsub.localhost">>, <<"pubsub.other.example">>]
    ].

%% Not requests alone: presence, messages, forms; and requests that speak of two nodes.
raw_stanzas(Config) ->
    {Eve, Jid} = intruder(Config),
    [
        begin
            [Hers, Nobodys] = [transcript(Eve, Stanza(Of)) || Of <- [Jid, ?NOBODY]],
            ?assertEqual({N, Nobodys}, {N, Hers})
        end
     || {N, Stanza} <- lists:zip(lists:seq(1, length(stanzas())), stanzas())
    ].

stanzas() ->
    Pubsub = <<"xmlns='http://jabber.org/protocol/pubsub'">>,
    To = <<"to='pubsub.localhost'">>,
    Node = fun(Jid) -> [<<"node='/twitter/MyFriends/">>, Jid, <<"'">>] end,
    Stored = fun(Jid) -> [<<"node='/twitter/">>, Jid, <<"/MyStream'">>] end,
    Mine = <<"node='/twitter/MyStream'">>,
    Form = fun(Type, Fields) ->
        [<<"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#">>,
         Type, <<"</value></field>">>,
         [[<<"<field var='">>, Var, <<"'><value>">>, Value, <<"</value></field>">>] || {Var, Value} <- Fields], <<"</x>">>]
    end,
    Iq = fun(Type, Content) -> [<<"<iq id='x' type='">>, Type, <<"' ">>, To, <<">">>, Content, <<"</iq>">>] end,
    Two = fun(Type, First, Second) -> Iq(Type, [<<"<pubsub ">>, Pubsub, <<">">>, First, Second, <<"</pubsub>">>]) end,
    [
        fun(Jid) -> Two(<<"get">>, [<<"<items ">>, Mine, <<"/>">>], [<<"<items ">>, Node(Jid), <<"/>">>]) end,
        fun(Jid) -> Two(<<"get">>, [<<"<items ">>, Node(Jid), <<"/>">>], [<<"<items ">>, Mine, <<"/>">>]) end,
        fun(Jid) -> Two(<<"get">>, <<"<items node='ordinary'/>">>, [<<"<items ">>, Stored(Jid), <<"/>">>]) end,
        fun(Jid) -> Two(<<"set">>, [<<"<publish ">>, Mine, <<"/>">>], [<<"<retract ">>, Node(Jid), <<"><item id='secret'/></retract>">>]) end,
        fun(Jid) -> Two(<<"set">>, [<<"<items ">>, Mine, <<"/>">>], [<<"<subscribe ">>, Node(Jid), <<" jid='">>, Jid, <<"'/>">>]) end,
        fun(Jid) -> Two(<<"set">>, [<<"<create node='in-the-stream-of-">>, Jid, <<"'/>">>],
            [<<"<configure>">>, Form(<<"node_config">>, [{<<"pubsub#collection">>, [<<"/twitter/">>, Jid, <<"/MyStream">>]}]), <<"</configure>">>]) end,
        fun(Jid) -> Two(<<"set">>, [<<"<create node='in-the-tree-of-">>, Jid, <<"'/>">>],
            [<<"<configure>">>, Form(<<"node_config">>, [{<<"pubsub#collection">>, <<"/twitter">>}]), <<"</configure>">>]) end,
        fun(Jid) -> [<<"<message ">>, To, <<">">>, Form(<<"subscribe_authorization">>,
            [{<<"pubsub#node">>, [<<"/twitter/">>, Jid, <<"/MyStream">>]}, {<<"pubsub#subscriber_jid">>, Jid}, {<<"pubsub#allow">>, <<"true">>}]), <<"</message>">>] end,
        fun(Jid) -> [<<"<message type='headline' ">>, To, <<"><event xmlns='http://jabber.org/protocol/pubsub#event'><items ">>, Node(Jid), <<"/></event></message>">>] end,
        fun(_) -> [<<"<presence ">>, To, <<"/>">>] end,
        fun(_) -> [<<"<presence type='subscribe' ">>, To, <<"/>">>] end,
        fun(_) -> [<<"<presence type='probe' ">>, To, <<"/>">>] end,
        fun(Jid) -> Iq(<<"get">>, [<<"<query xmlns='jabber:iq:last' ">>, Node(Jid), <<"/>">>]) end,
        fun(Jid) -> Iq(<<"get">>, [<<"<query xmlns='urn:xmpp:mam:2' ">>, Node(Jid), <<"/>">>]) end,
        fun(Jid) -> Iq(<<"set">>, [<<"<query xmlns='urn:xmpp:mam:2' ">>, Node(Jid), <<"/>">>]) end,
        fun(_) -> Iq(<<"get">>, <<"<vCard xmlns='vcard-temp'/>">>) end,
        fun(_) -> Iq(<<"get">>, <<"<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>">>) end,
        fun(_) -> Iq(<<"get">>, [<<"<pubsub ">>, Pubsub, <<"><subscriptions/></pubsub>">>]) end,
        fun(_) -> Iq(<<"get">>, [<<"<pubsub ">>, Pubsub, <<"><affiliations/></pubsub>">>]) end,
        fun(_) -> Iq(<<"get">>, <<"<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><default/></pubsub>">>) end
    ].

%% A cursor tells a place, and nothing about what is there.
a_forged_place(Config) ->
    Server = twitter_cases:server(Config),
    {Eve, Jid} = intruder(Config),
    Dave = twitter_users:login(Server, twitter_users:fresh(Server, <<"dave">>)),
    ok = twitter_users:befriend(Server, twitter_cases:user(Dave), twitter_cases:user(Eve)),
    _ = twitter_requests:publish(Dave, <<"hello">>, <<"Hello">>),
    Micros = fun(Seconds) -> integer_to_binary(erlang:system_time(microsecond) + Seconds * 1_000_000) end,
    Forged = fun(Author) ->
        [
            url_safe(base64:encode(iolist_to_binary([At, $/, Author, $/, Id])))
         || At <- [<<"0">>, Micros(-3600), Micros(3600)], Id <- [<<"secret">>, <<>>, <<"zzz">>]
        ]
    end,
    Ask = fun(Cursor) ->
        [
            {twitter_answers:ids(Answer), twitter_answers:page(Answer)}
         || Side <- [before, 'after'], Answer <- [twitter_requests:items(Eve, ?FRIENDS, #{rsm => #{max => 5, Side => Cursor}})]
        ]
    end,
    ?assertEqual(lists:map(Ask, Forged(?NOBODY)), lists:map(Ask, Forged(Jid))).

url_safe(Base64) ->
    << <<case C of $+ -> $-; $/ -> $_; _ -> C end>> || <<C>> <= Base64, C =/= $= >>.

%%% What she does besides asking

%% Her roster is hers; what stands in it about Alice gives her nothing.
contacts_that_she_makes_up(Config) ->
    Server = twitter_cases:server(Config),
    {Eve, Jid} = intruder(Config),
    [Name, _] = binary:split(Jid, <<"@">>),
    Alice = twitter_users:login(Server, {Name, <<"localhost">>}),
    [
        begin
            Query = [<<"<iq type='set'><query xmlns='jabber:iq:roster'><item subscription='both' jid='">>, Contact, <<"'/></query></iq>">>],
            _ = twitter_client:request(Eve, Query),
            _ = [twitter_client:send(Eve, [<<"<presence to='">>, Contact, <<"' type='">>, Type, <<"'/>">>])
                 || Type <- [<<"subscribe">>, <<"subscribed">>, <<"probe">>]],
            _ = [twitter_client:send(Eve, [<<"<presence to='">>, Contact, <<"'/>">>])],
            _ = twitter_client:sync(Eve),
            _ = twitter_requests:publish(Alice, <<"fresh">>, ?TEXT),
            ?assertEqual({Contact, []}, {Contact, twitter_events:posts(Server, Eve)}),
            ?assertEqual({Contact, []}, {Contact, twitter_reading:ids(Eve, ?FRIENDS)}),
            ?assertEqual({Contact, []}, {Contact, twitter_reading:rows(Eve, <<"/twitter/MyFriends">>)}),
            ok = twitter_requests:retract(Alice, <<"fresh">>)
        end
     || Contact <- [Jid, string:uppercase(Jid), <<Jid/binary, "/phone">>, <<"pubsub.localhost">>, <<"localhost">>,
                    <<Name/binary, "@pubsub.localhost">>]
    ],
    ok = twitter_users:block(Eve, Jid),
    ok = twitter_users:unblock(Eve, Jid),
    twitter_secret:assert_hidden(Eve, Jid).

%% Entity capabilities make PEP send what contacts have published last.
interest_in_nodes(Config) ->
    Server = twitter_cases:server(Config),
    {Eve, Jid} = intruder(Config),
    [Name, _] = binary:split(Jid, <<"@">>),
    Nodes = [<<"/twitter/MyStream">>, ?FRIENDS, <<"/twitter/MyFriends/", Jid/binary>>, <<"/twitter/", Jid/binary, "/MyStream">>],
    Alice = twitter_users:login(Server, {Name, <<"localhost">>}),
    ok = twitter_caps:announce(Server, Eve, [<<Node/binary, "+notify">> || Node <- Nodes]),
    _ = twitter_requests:publish(Alice, <<"fresh">>, ?TEXT),
    ?assertEqual([], twitter_events:posts(Server, Eve)),
    ok = twitter_requests:retract(Alice, <<"fresh">>).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% Alice has a friend, and had another one, who has told Eve all that he knew.
intruder(Config) ->
    [Alice, _Bob, Mallory] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"mallory">>]),
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    <<"secret">> = twitter_requests:publish(Alice, <<"secret">>, ?TEXT),
    ok = twitter_users:remove_contact(Alice, twitter_client:bare(Mallory)),
    ok = twitter_cases:set_contact(Config, Eve, twitter_client:bare(Alice), both),
    {Eve, twitter_client:bare(Alice)}.

%% Each request about the ones is answered as about the others.
alike(Eve, Place, Nodes, Unknown) ->
    [
        begin
            [Hers, Nobodys] = [said(Eve, Ask(Place, Each), Each) || Each <- [Node, Other]],
            ?assertEqual({Name, Node, Nobodys}, {Name, Node, Hers})
        end
     || {Node, Other} <- lists:zip(Nodes, Unknown), {Name, Ask} <- twitter_asks:all()
    ].

%% What is left of an answer without what was asked for.
said(Eve, Answer, Node) ->
    Names = lists:append([[Jid, hd(binary:split(Jid, <<"@">>))] || <<"/twitter/MyFriends/", Jid/binary>> <- [Node]]),
    Words = [Word || Word <- [fxml:crypt(Node), Node, twitter_client:jid(Eve) | Names], Word =/= <<>>],
    Said = twitter_answers:anonymous(Answer, Words),
    ?assertEqual(nomatch, binary:match(Said, ?TEXT)),
    %% Each dialog of a command has an id of its own, also those on her own stream.
    re:replace(Said, " sessionid='[0-9A-F]{32}'", " sessionid='*'", [{return, binary}]).

transcript(Eve, Stanza) ->
    _ = twitter_client:sync(Eve),
    ok = twitter_client:send(Eve, Stanza),
    [twitter_answers:anonymous(Received, [Word || Word <- words(Stanza)]) || Received <- twitter_client:sync(Eve)].

words(Stanza) ->
    {match, Found} = re:run(iolist_to_binary([Stanza, <<" nobody@localhost">>]), <<"[a-z]+(-[0-9]+)?@localhost">>, [global, {capture, first, binary}]),
    lists:usort(lists:append(Found)).
