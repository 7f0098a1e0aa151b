%%% What a server does with messages besides delivering them: it copies them to other resources (XEP-0280),
%%% keeps them for whoever is away, archives them (XEP-0313), and sends what a lost session has not confirmed
%%% to another one (XEP-0198). With posts it does nothing of that: who loses a right would keep it there, and
%%% who is away reads his streams.
-module(copies_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([each_resource_gets_one/1, nothing_is_kept_for_who_is_away/1, nothing_is_archived/1]).
-export([nothing_is_sent_again_for_a_lost_session/1, no_error_was_logged/1]).

-define(TEXT, <<"Quagga">>).

all() ->
    [{group, fast}, {group, full}, no_error_was_logged].

groups() ->
    Cases = [
        each_resource_gets_one, nothing_is_kept_for_who_is_away, nothing_is_archived, nothing_is_sent_again_for_a_lost_session
    ],
    [{fast, [parallel], Cases}, {full, [parallel], Cases}].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{
        modules => #{
            mod_carboncopy => #{}, mod_offline => #{}, mod_mam => #{default => always, assume_mam_usage => true},
            mod_stream_mgmt => #{resend_on_timeout => true}
        }
    }).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_group(Way, Config) ->
    ok = twitter_server:reload(twitter_cases:server(Config), #{twitter => #{delivery => Way}}),
    Config.

end_per_group(_Way, _Config) -> ok.

each_resource_gets_one(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    [Others, Phone] = [twitter_users:login(Server, twitter_cases:user(Client)) || Client <- [Alice, Bob]],
    All = [Alice, Others, Bob, Phone],
    [
        _ = twitter_answers:result(twitter_client:request(Client, <<"<iq type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>">>))
     || Client <- All
    ],
    %% Of messages there are copies.
    chat(Alice, Bob),
    [_ = twitter_client:expect(Client, is_told(<<"Chat">>)) || Client <- [Others, Bob, Phone]],
    _ = twitter_requests:publish(Alice, <<"a">>, ?TEXT),
    ok = twitter_server:settle(Server, <<"pubsub.localhost">>),
    Told = [length(lists:filter(is_told(?TEXT), twitter_client:sync(Client))) || Client <- All],
    ?assertEqual([0, 1, 1, 1], Told).

nothing_is_kept_for_who_is_away(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    User = twitter_cases:user(Bob),
    ok = twitter_client:close(Bob),
    _ = twitter_requests:publish(Alice, <<"a">>, ?TEXT),
    ok = twitter_server:settle(Server, <<"pubsub.localhost">>),
    Chat = [<<"<message type='chat' to='">>, twitter_users:jid(User), <<"'><body>Chat</body></message>">>],
    ok = twitter_client:send(Alice, Chat),
    _ = twitter_client:sync(Alice),
    Back = twitter_users:login(Server, User),
    _ = twitter_client:expect(Back, is_told(<<"Chat">>)),
    ok = twitter_client:refute(Back, is_told(?TEXT)).

nothing_is_archived(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    %% Who has a list gets events by the way with all hooks.
    ok = twitter_users:block(Bob, <<"nobody@localhost">>),
    _ = twitter_requests:publish(Alice, <<"a">>, ?TEXT),
    [chat(Alice, Client) || Client <- [Bob, Carol]],
    [?assertMatch([{item, _, <<"a">>, _}], twitter_events:posts(Server, Client)) || Client <- [Bob, Carol]],
    [
        begin
            _ = twitter_answers:result(twitter_client:request(Client, <<"<iq type='set'><query xmlns='urn:xmpp:mam:2'/></iq>">>)),
            Archive = twitter_client:sync(Client),
            ?assertNotEqual([], lists:filter(is_told(<<"Chat">>), Archive)),
            ?assertEqual([], lists:filter(is_told(?TEXT), Archive))
        end
     || Client <- [Alice, Bob, Carol]
    ].

%% By the time it is given up, its user has lost the right, or has the post already.
nothing_is_sent_again_for_a_lost_session(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    User = twitter_cases:user(Bob),
    Wire = twitter_wire:open(Server, User, #{resource => <<"lost">>}),
    _ = twitter_wire:manage(Wire),
    Lost = twitter_inside:session(Server, <<(twitter_users:jid(User))/binary, "/lost">>),
    ok = twitter_wire:drop(Wire),
    _ = twitter_requests:publish(Alice, <<"a">>, ?TEXT),
    ?assertMatch([{item, _, <<"a">>, _}], twitter_events:posts(Server, Bob)),
    ok = twitter_client:send(Alice, [<<"<message type='chat' to='">>, twitter_users:jid(User), <<"/lost'><body>Chat</body></message>">>]),
    _ = twitter_client:sync(Alice),
    ok = twitter_users:remove_contact(Alice, twitter_users:jid(User)),
    Late = twitter_users:login(Server, User),
    ok = twitter_server:call(Server, ejabberd_c2s, stop_async, [Lost]),
    ok = twitter_inside:await_end(Server, Lost),
    %% A message is.
    _ = twitter_client:expect(Late, is_told(<<"Chat">>)),
    [ok = twitter_client:refute(Client, is_told(?TEXT)) || Client <- [Bob, Late]].

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

chat(From, To) ->
    ok = twitter_client:send(From, [<<"<message type='chat' to='">>, twitter_client:bare(To), <<"'><body>Chat</body></message>">>]),
    _ = twitter_client:sync(From),
    ok.

is_told(Text) ->
    fun(Stanza) -> binary:match(fxml:element_to_binary(Stanza), Text) =/= nomatch end.
