%%% @doc The IQ handlers of a pubsub host. Requests for ordinary nodes go to mod_pubsub as they are;
%%% those for `/twitter' and below are answered here, for the reader who asks.
%%%
%%% mod_pubsub tells a nodetree nothing of the requester, so the tree that differs from reader to
%%% reader cannot live there. Reads are answered from the index; what writes goes on to mod_pubsub,
%%% under the id of the author's stored node.
-module(twitter_gateway).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([decode_iq_subel/1, process_disco_info/1, process_disco_items/1, process_pubsub/1,
         process_pubsub_owner/1, process_commands/1]).

%% @doc Called by ejabberd on the raw element, before it is decoded. Here bare text becomes an
%% element, for the decoder drops it; and a command with an action that does not exist stays as it is, for
%% the decoder would only say that it does not understand.
-spec decode_iq_subel(xmlel()) -> xmpp_element() | xmlel().
decode_iq_subel(#xmlel{name = <<"command">>} = El) ->
    Node = fxml:get_tag_attr_s(<<"node">>, El),
    IsOurs = fxml:get_tag_attr_s(<<"xmlns">>, El) =:= ?NS_COMMANDS
        andalso (twitter_path:is_reserved(Node) orelse twitter_adhoc:is_command(Node)),
    case IsOurs andalso not twitter_adhoc:has_known_action(El) of
        true -> El;
        false -> xmpp:decode(El)
    end;
decode_iq_subel(El) ->
    xmpp:decode(twitter_post:wrap(El)).

-spec process_disco_info(iq()) -> iq().
process_disco_info(#iq{type = get, sub_els = [#disco_info{node = Id}]} = IQ) ->
    answer(IQ, twitter_path:parse_disco(Id), fun foreign_info/1,
           fun(View) -> (twitter_disco:info(View))#disco_info{node = Id} end);
process_disco_info(IQ) ->
    writable(mod_pubsub:process_disco_info(IQ)).

-spec process_disco_items(iq()) -> iq().
process_disco_items(#iq{type = get, sub_els = [#disco_items{node = Id, rsm = Rsm}]} = IQ) ->
    answer(IQ, twitter_path:parse_disco(Id), fun foreign_items/1,
           fun(View) -> (twitter_disco:items(View, Rsm))#disco_items{node = Id} end);
process_disco_items(IQ) ->
    writable(mod_pubsub:process_disco_items(IQ)).

-spec process_pubsub(iq()) -> iq().
process_pubsub(#iq{sub_els = [#pubsub{} = Request]} = IQ) ->
    answer(IQ, twitter_path:parse(twitter_request:node(Request)), fun own_names/1,
           fun(View) -> twitter_request:pubsub(View, IQ) end);
process_pubsub(IQ) ->
    writable(mod_pubsub:process_pubsub(IQ)).

-spec process_pubsub_owner(iq()) -> iq().
process_pubsub_owner(#iq{sub_els = [#pubsub_owner{} = Request]} = IQ) ->
    answer(IQ, twitter_path:parse(twitter_request:node(Request)), fun mod_pubsub:process_pubsub_owner/1,
           fun(View) -> twitter_request:owner(View, IQ) end);
process_pubsub_owner(IQ) ->
    writable(mod_pubsub:process_pubsub_owner(IQ)).

%% @doc Commands of the service and of rows of the tree, and mod_pubsub's own.
-spec process_commands(iq()) -> iq().
process_commands(#iq{type = set, sub_els = [#adhoc_command{node = Id} = Request]} = IQ) ->
    answer(IQ, twitter_path:parse(Id), fun foreign_command/1,
           fun(#{reader := Reader} = Row) -> twitter_adhoc:execute(Reader, Row, Request) end);
process_commands(#iq{type = set, sub_els = [#xmlel{}], lang = Lang} = IQ) ->
    refuse(IQ, twitter_error:stanza_error(malformed_action, Lang));
process_commands(IQ) ->
    writable(mod_pubsub:process_commands(IQ)).

foreign_command(#iq{sub_els = [#adhoc_command{node = Id} = Request]} = IQ) ->
    case twitter_adhoc:is_command(Id) of
        true -> serve(IQ, fun(Reader) -> twitter_adhoc:execute(Reader, none, Request) end);
        false -> command_of_pubsub(IQ)
    end.

%% A form of mod_pubsub's must not lead to our nodes.
command_of_pubsub(#iq{sub_els = [#adhoc_command{xdata = Form}], lang = Lang} = IQ) ->
    Values = case Form of
                 #xdata{fields = Fields} -> lists:append([Vs || #xdata_field{values = Vs} <- Fields]);
                 undefined -> []
             end,
    case {lists:any(fun twitter_path:is_reserved/1, Values), twitter_request:has_one_type(Form)} of
        {true, _} -> refuse(IQ, twitter_error:stanza_error(not_found, Lang));
        {false, false} -> refuse(IQ, twitter_error:stanza_error(bad_request, Lang));
        {false, true} -> mod_pubsub:process_commands(IQ)
    end.

%% Of the service itself: other servers look here whether it takes what they tell it.
foreign_info(#iq{sub_els = [#disco_info{node = <<>>}]} = IQ) ->
    case mod_pubsub:process_disco_info(IQ) of
        #iq{type = result, sub_els = [#disco_info{features = Features} = Info]} = Answer ->
            Answer#iq{sub_els = [Info#disco_info{features = Features ++ [twitter_relay:ns()]}]};
        Answer ->
            Answer
    end;
foreign_info(#iq{sub_els = [#disco_info{node = Id}]} = IQ) ->
    case twitter_adhoc:is_command(Id) of
        true -> serve(IQ, fun(Reader) -> (twitter_adhoc:info(Reader, Id))#disco_info{node = Id} end);
        false -> mod_pubsub:process_disco_info(IQ)
    end.

foreign_items(#iq{sub_els = [#disco_items{node = ?NS_COMMANDS}]} = IQ) ->
    case mod_pubsub:process_disco_items(IQ) of
        #iq{type = result, sub_els = [#disco_items{items = Items} = Theirs]} ->
            serve(IQ, fun(Reader) -> Theirs#disco_items{items = Items ++ twitter_adhoc:list(Reader)} end);
        Answer ->
            Answer
    end;
foreign_items(#iq{sub_els = [#disco_items{node = Id}]} = IQ) ->
    case twitter_adhoc:is_command(Id) of
        true -> serve(IQ, fun(Reader) -> (twitter_adhoc:rows(Reader, Id))#disco_items{node = Id} end);
        false -> mod_pubsub:process_disco_items(IQ)
    end.

answer(IQ, foreign, Foreign, _Ours) ->
    writable(Foreign(IQ));
answer(IQ, Named, _Foreign, Ours) ->
    serve(IQ, fun(Reader) -> Ours(twitter_view:open(Reader, Named)) end).

%% mod_pubsub sends the request back with an error, and ejabberd reads some forms that it cannot write: the client
%% would have no answer at all.
writable(#iq{type = error, sub_els = Els} = Answer) ->
    try
        _ = xmpp:encode(Answer),
        Answer
    catch
        error:_ -> Answer#iq{sub_els = [Error || #stanza_error{} = Error <- Els]}
    end;
writable(Answer) ->
    Answer.

serve(#iq{type = Type} = IQ, Serve) ->
    Began = twitter_stats:clock(),
    try
        #{service := #{server_host := ServerHost}} = Reader = twitter_reader:new(IQ),
        Result = Serve(Reader),
        _ = [twitter_stats:took(ServerHost, read, Began) || Type =:= get],
        case Result of
            #iq{} -> Result;
            _ -> xmpp:make_iq_result(IQ, Result)
        end
    catch
        throw:{refused, Error} ->
            refuse(IQ, Error);
        %% mod_pubsub is being restarted, or the plugin.
        error:{unregistered_route, _} ->
            refuse(IQ, twitter_error:stanza_error(not_served, IQ#iq.lang));
        exit:{Reason, {gen_server, call, [Worker | _]}} ->
            ?WARNING_MSG("A request of ~ts was given up, for ~p ended: ~tp",
                         [jid:encode(IQ#iq.from), Worker, Reason]),
            refuse(IQ, twitter_error:stanza_error(not_served, IQ#iq.lang));
        %% Mnesia; ejabberd would log the request, with what is posted in it.
        exit:{aborted, Reason} ->
            ?ERROR_MSG("A request of ~ts to ~ts failed, for storage did: ~0tp",
                       [jid:encode(IQ#iq.from), jid:encode(IQ#iq.to), Reason]),
            refuse(IQ, twitter_error:stanza_error(storage_failed, IQ#iq.lang))
    end.

%% The request is not sent back with the error: it is not what the client sent any more. Of a command its
%% dialog is, since there are clients that find it by nothing else.
refuse(#iq{lang = Lang, sub_els = Els} = IQ, Error) ->
    Dialog = [#adhoc_command{node = Id, sid = Sid} || #adhoc_command{node = Id, sid = Sid} <- Els],
    xmpp:make_error(IQ#iq{sub_els = Dialog}, twitter_error:with_text(Error, Lang)).

%% A list of all that a user has to do with names his stored node, which he knows as MyStream.
own_names(IQ) ->
    case mod_pubsub:process_pubsub(IQ) of
        #iq{type = result, sub_els = [#pubsub{affiliations = {Node, Affiliations}} = Result]} =
            Answer ->
            Renamed = [A#ps_affiliation{node = wire_name(A#ps_affiliation.node)}
                       || A <- Affiliations],
            Answer#iq{sub_els = [Result#pubsub{affiliations = {Node, Renamed}}]};
        Answer ->
            Answer
    end.

wire_name(Id) ->
    case twitter_path:author(Id) of
        {ok, _} -> twitter_path:id({stream, mine});
        none -> Id
    end.
