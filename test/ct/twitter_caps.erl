%%% Entity capabilities (XEP-0115), by which a client says what PEP should send it.
-module(twitter_caps).

-include_lib("fast_xml/include/fxml.hrl").

-export([announce/2, presence/1]).

-define(NS_INFO, <<"http://jabber.org/protocol/disco#info">>).

%% @doc Sends a presence with these features and answers the server's question for them.
%% Returns when the server knows them.
-spec announce(twitter_client:client(), Features :: [binary()]) -> ok.
announce(Client, Features) ->
    {Presence, Identity} = presence(Features),
    ok = twitter_client:send(Client, Presence),
    IsQuestion = fun(Stanza) ->
        fxml:get_path_s(Stanza, [{elem, <<"query">>}, {attr, <<"xmlns">>}]) =:= ?NS_INFO
    end,
    Question = twitter_client:expect(Client, IsQuestion),
    ok = twitter_client:send(Client, [
        <<"<iq type='result' to='">>, fxml:get_tag_attr_s(<<"from">>, Question), <<"' id='">>,
        fxml:get_tag_attr_s(<<"id">>, Question), <<"'><query xmlns='">>, ?NS_INFO, <<"' node='">>,
        fxml:get_path_s(Question, [{elem, <<"query">>}, {attr, <<"node">>}]), <<"'>">>, Identity,
        <<"</query></iq>">>
    ]),
    _ = twitter_client:request(Client, <<"<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>">>),
    ok.

%% @doc The presence, with a name that no other client has, and what to say when asked.
-spec presence(Features :: [binary()]) -> {Presence :: iodata(), Identity :: iodata()}.
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
