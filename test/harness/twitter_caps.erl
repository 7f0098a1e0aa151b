%%% Entity capabilities (XEP-0115), by which a client says what PEP should send it.
-module(twitter_caps).

-include_lib("fast_xml/include/fxml.hrl").

-export([announce/3]).

-define(NS_INFO, <<"http://jabber.org/protocol/disco#info">>).

%% @doc Sends a presence with these features, which the server knows already: else PEP would
%% depend on what comes first, the presence to a contact or the answer to the server.
-spec announce(twitter_server:server(), twitter_client:client(), Features :: [binary()]) -> ok.
announce(Server, Client, Features) ->
    {Presence, Identity} = presence(Features),
    Herald = twitter_users:login(Server, twitter_users:fresh(Server, <<"herald">>)),
    ok = introduce(Server, Herald, Presence, Identity),
    ok = twitter_client:close(Herald),
    ok = twitter_client:send(Client, Presence),
    %% The server has handled it.
    #xmlel{} = ping(Client),
    ok.

%% Sends a presence and answers the server's question for its features. Returns when the server
%% has learnt them: the process that takes such answers has nothing before this call.
introduce(Server, Client, Presence, Identity) ->
    ok = twitter_client:send(Client, Presence),
    Question = twitter_client:expect(Client, fun is_question/1),
    ok = twitter_client:send(Client, [
        <<"<iq type='result' to='">>, fxml:get_tag_attr_s(<<"from">>, Question), <<"' id='">>,
        fxml:get_tag_attr_s(<<"id">>, Question), <<"'><query xmlns='">>, ?NS_INFO, <<"' node='">>,
        fxml:get_path_s(Question, [{elem, <<"query">>}, {attr, <<"node">>}]), <<"'>">>, Identity,
        <<"</query></iq>">>
    ]),
    #xmlel{} = ping(Client),
    _ = twitter_server:call(Server, sys, get_state, [ejabberd_iq]),
    ok.

is_question(Stanza) ->
    fxml:get_path_s(Stanza, [{elem, <<"query">>}, {attr, <<"xmlns">>}]) =:= ?NS_INFO.

ping(Client) ->
    twitter_client:request(Client, <<"<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>">>).

%% The presence, with a name that no other client has, and what to say when asked.
presence(Features) ->
    Number = integer_to_binary(erlang:unique_integer([positive])),
    Sorted = lists:sort(Features),
    Words = [<<"client/pc//test">> | Sorted],
    Hash = crypto:hash(sha, [[Word, $<] || Word <- Words]),
    {
        [
            <<"<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' ">>,
            <<"node='urn:test:">>, Number, <<"' ver='">>, base64:encode(Hash), <<"'/></presence>">>
        ],
        [
            <<"<identity category='client' type='pc' name='test'/>">>
            | [[<<"<feature var='">>, Feature, <<"'/>">>] || Feature <- Sorted]
        ]
    }.
