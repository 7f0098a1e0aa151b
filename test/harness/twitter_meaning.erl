%%% What XML means, however it is written.
-module(twitter_meaning).

-include_lib("fast_xml/include/fxml.hrl").

-export([of_xml/1]).

%% @doc An XML parser may choose other prefixes, and leave out namespaces that are inherited. A payload
%% without one is in the namespace of the item around it.
-spec of_xml(#xmlel{} | {xmlcdata, binary()}) -> term().
of_xml(Content) ->
    meaning(Content, #{<<>> => <<"http://jabber.org/protocol/pubsub">>}).

meaning({xmlcdata, Text}, _Scope) ->
    Text;
meaning(#xmlel{name = Name, attrs = Attrs, children = Children}, Outer) ->
    Scope = lists:foldl(fun declare/2, Outer, Attrs),
    Plain = [Attr || {Key, _} = Attr <- Attrs, not is_declaration(Key)],
    {resolve(Name, Scope), lists:sort(Plain), [meaning(Child, Scope) || Child <- Children]}.

declare({<<"xmlns">>, Namespace}, Scope) -> Scope#{<<>> => Namespace};
declare({<<"xmlns:", Prefix/binary>>, Namespace}, Scope) -> Scope#{Prefix => Namespace};
declare(_, Scope) -> Scope.

is_declaration(<<"xmlns">>) -> true;
is_declaration(<<"xmlns:", _/binary>>) -> true;
is_declaration(_) -> false.

resolve(Name, Scope) ->
    case binary:split(Name, <<":">>) of
        [Local] -> {maps:get(<<>>, Scope), Local};
        [Prefix, Local] -> {maps:get(Prefix, Scope), Local}
    end.
