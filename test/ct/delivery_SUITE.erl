%%% The stanza that brings a post is the same, byte for byte, whichever way it takes and over whatever
%%% connection; and what sessions do with stanzas, they do with this one. All cases run with
%%% `delivery: fast' and with `delivery: full'.
-module(delivery_SUITE).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    over_tcp/1,
    over_tls/1,
    over_a_websocket/1,
    over_bosh/1,
    with_stream_management/1,
    to_the_authors_own_sessions/1,
    to_an_inactive_client/1,
    counters_stay_right/1,
    unacknowledged_posts_come_again/1,
    a_pending_session_has_the_body/1,
    other_modules_may_change_or_drop_it/1,
    hooks_for_received_stanzas/1,
    hooks_for_sent_stanzas/1,
    no_error_was_logged/1
]).
%% Run in the server under test, the first three as hooks.
-export([filter/1, received/1, sent/3, start_counting/0, stop_counting/0]).

suite() ->
    [{timetrap, {seconds, 120}}].

all() ->
    [{group, fast}, {group, full}].

groups() ->
    Cases = [
        {group, connections},
        other_modules_may_change_or_drop_it,
        hooks_for_received_stanzas,
        hooks_for_sent_stanzas,
        no_error_was_logged
    ],
    [
        {fast, [], Cases},
        {full, [], Cases},
        {connections, [parallel], [
            over_tcp,
            over_tls,
            over_a_websocket,
            over_bosh,
            with_stream_management,
            to_the_authors_own_sessions,
            to_an_inactive_client,
            counters_stay_right,
            unacknowledged_posts_come_again,
            a_pending_session_has_the_body
        ]}
    ].

init_per_suite(Config) ->
    Dir = proplists:get_value(priv_dir, Config),
    Pem = filename:join(Dir, "localhost.pem"),
    Key = filename:join(Dir, "localhost.key"),
    Made = os:cmd("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
                  " -keyout '" ++ Key ++ "' -out '" ++ Pem ++ "' 2>&1 && cat '" ++ Key ++ "' >>'" ++ Pem ++ "' && echo made"),
    {_, "made\n"} = {Made, lists:nthtail(max(0, length(Made) - 5), Made)},
    [{certificate, list_to_binary(Pem)} | Config].

end_per_suite(_Config) -> ok.

init_per_group(connections, Config) ->
    Config;
init_per_group(Way, Config) ->
    {ok, Server} = twitter_server:start(#{
        dir => proplists:get_value(priv_dir, Config),
        name => atom_to_list(Way),
        twitter => #{delivery => Way},
        modules => #{mod_stream_mgmt => #{}, mod_client_state => #{}, mod_carboncopy => #{}, mod_bosh => #{}}
    }),
    [Tls, Http] = [twitter_server:free_port() || _ <- [tls, http]],
    Listener = #{ip => <<"127.0.0.1">>, module => ejabberd_c2s, access => all, shaper => none},
    ok = twitter_server:reload(Server, #{options => #{
        certfiles => [proplists:get_value(certificate, Config)],
        listen => [
            %% As it is: it stays open.
            Listener#{port => twitter_server:port(Server)},
            Listener#{port => Tls, starttls => true},
            #{ip => <<"127.0.0.1">>, port => Http, module => ejabberd_http,
              request_handlers => #{<<"/ws">> => ejabberd_http_ws, <<"/bosh">> => mod_bosh}}
        ]
    }}),
    true = twitter_server:call(Server, code, add_patha, [filename:dirname(code:which(?MODULE))]),
    [{server, Server}, {way, Way}, {tls, Tls}, {http, Http} | Config].

end_per_group(connections, _Config) -> ok;
end_per_group(_Way, Config) -> twitter_cases:stop(Config).

%%% Bytes

over_tcp(Config) ->
    the_same_bytes(Config, #{kind => tcp}, <<"<message">>).

over_tls(Config) ->
    the_same_bytes(Config, #{kind => tls, port => proplists:get_value(tls, Config)}, <<"<message">>).

%% Each stanza is a document of its own there.
over_a_websocket(Config) ->
    the_same_bytes(Config, #{kind => websocket, port => proplists:get_value(http, Config)},
                   <<"<message xmlns='jabber:client'">>).

over_bosh(Config) ->
    the_same_bytes(Config, #{kind => bosh, port => proplists:get_value(http, Config)},
                   {<<"<message">>, <<" xmlns='jabber:client'">>}).

the_same_bytes(Config, Options, Start) ->
    {Alice, Bob} = author_and_friend(Config),
    Wire = twitter_wire:open(twitter_cases:server(Config), Bob, Options),
    ok = published(Config, Alice),
    ?assertEqual(expected(Start, Alice, Bob), twitter_wire:sync(Wire)).

with_stream_management(Config) ->
    {Alice, Bob} = author_and_friend(Config),
    Wire = twitter_wire:open(twitter_cases:server(Config), Bob, #{}),
    _ = twitter_wire:manage(Wire),
    ok = published(Config, Alice),
    ?assertEqual(expected(<<"<message">>, Alice, Bob), without_requests(twitter_wire:sync(Wire))).

without_requests(Bytes) ->
    binary:replace(Bytes, <<"<r xmlns='urn:xmpp:sm:3'/>">>, <<>>, [global]).

published(Config, Alice) ->
    _ = [twitter_requests:publish(Alice, Id, Payload) || {Id, Payload, _, _} <- posts()],
    ok = twitter_requests:retract(Alice, <<"text">>),
    twitter_server:settle(twitter_cases:server(Config), <<"pubsub.localhost">>).

%% Id, what is published, as it is written, and its text.
posts() ->
    Text = <<"5 < 6 && \"x\" > 'y' "/utf8, "ä 漢字 🐧 "/utf8, "&amp;">>,
    Entry = <<"<entry xmlns='http://www.w3.org/2005/Atom' xml:lang='de' a='&lt;&amp;&apos;&quot;&gt;'>",
              "<title type='text'>Gr\x{fc}\x{df}e &amp; &lt;b&gt; 😀</title><x xmlns='urn:x'/></entry>"/utf8>>,
    [
        {<<"text">>, Text, fxml:crypt(Text), fxml:crypt(Text)},
        {<<"<&'\"ü"/utf8>>, fxml_stream:parse_element(Entry), fxml:element_to_binary(fxml_stream:parse_element(Entry)),
         fxml:crypt(<<"Grüße & <b> 😀"/utf8>>)}
    ].

expected(Start, Alice, Bob) when is_binary(Start) ->
    expected({Start, <<>>}, Alice, Bob);
expected({Start, End}, Alice, {Name, Host}) ->
    Author = twitter_client:bare(Alice),
    Head = [Start, <<" to='">>, Name, $@, Host, <<"' from='pubsub.localhost' type='headline'">>, End, $>,
            <<"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='/twitter/FriendsStream'>">>],
    Items = [
        [Head, <<"<item id='">>, fxml:crypt(Id), <<"' publisher='">>, Author, <<"'>">>, Written,
         <<"</item></items></event><body>">>, Author, <<": ">>, Text, <<"</body></message>">>]
     || {Id, _, Written, Text} <- posts()
    ],
    Retraction = [Head, <<"<retract id='text' publisher='">>, Author, <<"'/></items></event></message>">>],
    iolist_to_binary([Items, Retraction]).

to_the_authors_own_sessions(Config) ->
    {Alice, _Bob} = author_and_friend(Config),
    {Name, Host} = User = twitter_cases:user(Alice),
    Wire = twitter_wire:open(twitter_cases:server(Config), User, #{}),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Me & myself">>),
    ok = twitter_server:settle(twitter_cases:server(Config), <<"pubsub.localhost">>),
    Expected = [<<"<message to='">>, Name, $@, Host, <<"' from='pubsub.localhost' type='headline'>",
                  "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='/twitter/MyStream'>",
                  "<item id='a' publisher='">>, Name, $@, Host, <<"'>Me &amp; myself</item></items></event></message>">>],
    %% Before it comes the presence of the other session.
    [_, Received] = binary:split(twitter_wire:sync(Wire), <<"<message">>),
    ?assertEqual(iolist_to_binary(Expected), <<"<message", Received/binary>>).

%%% What sessions do

%% Presence waits for an inactive client, headlines do not: as one that any client sends.
to_an_inactive_client(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_friend(Config),
    Wire = twitter_wire:open(Server, Bob, #{}),
    ok = twitter_wire:send(Wire, <<"<inactive xmlns='urn:xmpp:csi:0'/>">>),
    _ = twitter_wire:sync(Wire),
    ok = twitter_client:send(Alice, <<"<presence><show>away</show></presence>">>),
    _ = twitter_client:sync(Alice),
    ok = published(Config, Alice),
    ?assertEqual(expected(<<"<message">>, Alice, Bob), twitter_wire:sync(Wire)),
    ok = twitter_client:send(Alice, [<<"<message type='headline' to='">>, twitter_users:jid(Bob), <<"'><body>Hi</body></message>">>]),
    _ = twitter_client:sync(Alice),
    [_, _] = binary:split(twitter_wire:sync(Wire), <<"<body>Hi</body>">>),
    ok = twitter_wire:send(Wire, <<"<active xmlns='urn:xmpp:csi:0'/>">>),
    ?assertEqual([], [S || S <- twitter_wire:stanzas(twitter_wire:sync(Wire)), fxml:get_subtag(S, <<"event">>) =/= false]).

counters_stay_right(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_friend(Config),
    Wire = twitter_wire:open(Server, Bob, #{}),
    _ = twitter_wire:manage(Wire),
    _ = twitter_wire:sync(Wire),
    ?assertEqual(1, twitter_wire:acked(Wire)),
    ok = published(Config, Alice),
    Received = twitter_wire:sync(Wire),
    ?assertEqual(2, twitter_wire:acked(Wire)),
    Count = length(twitter_wire:stanzas(Received)),
    ?assertEqual(length(posts()) + 1, Count),
    %% The server has sent two answers as well; it takes this many for acknowledged, and ends the stream at one more.
    ok = twitter_wire:send(Wire, ack(Count + 2)),
    ?assertEqual(<<>>, without_requests(twitter_wire:sync(Wire))),
    ok = twitter_wire:send(Wire, ack(Count + 2 + 1 + 1)),
    _ = twitter_wire:until(Wire, <<"</stream:stream>">>).

ack(H) ->
    [<<"<a xmlns='urn:xmpp:sm:3' h='">>, integer_to_binary(H), <<"'/>">>].

unacknowledged_posts_come_again(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_friend(Config),
    Wire = twitter_wire:open(Server, Bob, #{}),
    Id = twitter_wire:manage(Wire),
    ok = published(Config, Alice),
    First = twitter_wire:stanzas(twitter_wire:sync(Wire)),
    ok = twitter_wire:drop(Wire),
    Resumed = twitter_wire:resume(Server, Bob, Id, 0),
    Again = twitter_wire:stanzas(twitter_wire:sync(Resumed)),
    %% They say that they are late; the answer of the ping comes again, too.
    Delay = fun(#xmlel{name = <<"delay">>}) -> true; (_) -> false end,
    Late = [S || #xmlel{name = <<"message">>, children = Children} = S <- Again, lists:any(Delay, Children)],
    ?assertEqual(First, [S#xmlel{children = [C || C <- S#xmlel.children, not Delay(C)]} || S <- Late]),
    _ = twitter_requests:publish(Alice, <<"new">>, <<"New">>),
    ok = twitter_server:settle(Server, <<"pubsub.localhost">>),
    ?assertMatch([_], twitter_wire:stanzas(twitter_wire:sync(Resumed))).

%% Modules that send push notifications for clients that are away look for the body.
a_pending_session_has_the_body(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = author_and_friend(Config),
    Wire = twitter_wire:open(Server, Bob, #{resource => <<"pending">>}),
    _ = twitter_wire:manage(Wire),
    ok = twitter_wire:drop(Wire),
    _ = twitter_requests:publish(Alice, <<"a">>, <<"Wake up">>),
    ok = twitter_server:settle(Server, <<"pubsub.localhost">>),
    {Name, Host} = Bob,
    Session = twitter_server:call(Server, ejabberd_sm, get_session_pid, [Name, Host, <<"pending">>]),
    #{mgmt_queue := Queue} = State = twitter_server:call(Server, sys, get_state, [Session]),
    #{mgmt_stanzas_out := Out} = State,
    {_, _, #message{body = Body}} = lists:keyfind(Out, 1, twitter_server:call(Server, p1_queue, to_list, [Queue])),
    ?assertEqual(<<(twitter_client:bare(Alice))/binary, ": Wake up">>, xmpp:get_text(Body)).

%%% Hooks of other modules

%% A filter sees each, with its body; what it changes is sent, what it drops is not.
other_modules_may_change_or_drop_it(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    twitter_cases:hooked(Config, c2s_filter_send, {?MODULE, filter}, fun() ->
        _ = twitter_requests:publish(Alice, <<"a">>, <<"drop me">>),
        _ = twitter_requests:publish(Alice, <<"b">>, <<"change me">>),
        _ = twitter_requests:publish(Alice, <<"c">>, <<"leave me">>),
        Bodies = [twitter_events:body(M) || M <- twitter_events:received(Server, Bob)],
        Author = twitter_client:bare(Alice),
        ?assertEqual([<<"changed">>, <<Author/binary, ": leave me">>], Bodies)
    end).

filter({#message{type = headline, body = [#text{data = Text}]} = Message, State} = Acc) ->
    case binary:split(Text, <<": ">>) of
        [_, <<"drop me">>] -> {stop, {drop, State}};
        [_, <<"change me">>] -> {Message#message{body = xmpp:mk_text(<<"changed">>)}, State};
        _ -> Acc
    end;
filter(Acc) ->
    Acc.

hooks_for_received_stanzas(Config) ->
    %% No database tells who blocks somebody, as Mnesia does: ejabberd's hooks are asked for each session then.
    Expected = case {proplists:get_value(way, Config), twitter_database:is_sql()} of
                   {fast, false} -> 0;
                   _ -> 3
               end,
    ?assertEqual(Expected, counted(Config, user_receive_packet, received)).

hooks_for_sent_stanzas(Config) ->
    ?assertEqual(3, counted(Config, c2s_handle_send, sent)).

counted(Config, Hook, Function) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    ok = twitter_server:call(Server, ?MODULE, start_counting, []),
    twitter_cases:hooked(Config, Hook, {?MODULE, Function}, fun() ->
        _ = twitter_requests:publish_all(Alice, [<<"a">>, <<"b">>, <<"c">>]),
        ?assertMatch([_, _, _], twitter_events:posts(Server, Bob))
    end),
    twitter_server:call(Server, ?MODULE, stop_counting, []).

start_counting() ->
    persistent_term:put(?MODULE, counters:new(1, [])).

stop_counting() ->
    Count = counters:get(persistent_term:get(?MODULE), 1),
    true = persistent_term:erase(?MODULE),
    Count.

%% Only events, and with nothing in them that is ours.
received({#message{type = headline, meta = Meta}, _} = Acc) when not is_map_key(twitter_c2s, Meta) ->
    ok = counters:add(persistent_term:get(?MODULE), 1, 1),
    Acc;
received(Acc) ->
    Acc.

sent(State, #message{type = headline, meta = Meta, to = #jid{lresource = <<>>}}, ok) when not is_map_key(twitter_c2s, Meta) ->
    ok = counters:add(persistent_term:get(?MODULE), 1, 1),
    State;
sent(State, _Packet, _Result) ->
    State.

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% A client who writes, and a friend who is offline. They see no presence of each other.
author_and_friend(Config) ->
    Server = twitter_cases:server(Config),
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    Bob = twitter_users:fresh(Server, <<"bob">>),
    ok = twitter_users:set_contact(Server, twitter_cases:user(Alice), Bob, from),
    _ = twitter_client:sync(Alice),
    {Alice, Bob}.
